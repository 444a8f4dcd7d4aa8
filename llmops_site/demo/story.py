"""Ninety days at Papermoon as a list of what somebody did when, told in order through the rooms' own actions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5
from zoneinfo import ZoneInfo

from apps.costs.models import Meter
from apps.experiments import actions as experiments
from apps.experiments.models import Case, Run, Suite
from apps.llm import policies
from apps.llm.actions import keeping as llm
from apps.llm.models import BodyPolicy
from apps.prompts import actions as prompts
from apps.prompts import anchors
from apps.prompts.models import Approval, ChangeRequest, Deployment, Draft, Environment, Prompt, Version
from apps.reviews.models import Queue
from llmops_site.demo import models, ratings, runs
from llmops_site.demo.clock import Clock
from llmops_site.demo.content.prompts import LARGE, SMALL, PromptText, Wording
from llmops_site.demo.content.suites import SUITES
from llmops_site.demo.people import Cast


@dataclass(frozen=True)
class Days:
    """Moments counted back from the day of loading, in the workspace's own time."""

    now: datetime
    zone: ZoneInfo

    def ago(self, days: int, hour: float) -> datetime:
        """Return that hour of the day so many days back; today's hours are still to come or just gone."""
        day = self.now.astimezone(self.zone).date() - timedelta(days=days)
        minutes = round(hour * 60)
        return datetime.combine(day, time(minutes // 60, minutes % 60), tzinfo=self.zone)


@dataclass(order=True)
class Event:
    """Something that happened. `place` keeps two of one moment in the order in which they are told."""

    moment: datetime
    place: int
    act: Callable[[], Any] = field(compare=False)


@dataclass
class Story:
    """The history while it is written: what there is so far, by the names under which it is told."""

    cast: Cast
    clock: Clock
    days: Days
    prompts: dict[str, Prompt] = field(default_factory=dict)
    suites: dict[str, Suite] = field(default_factory=dict)
    versions: dict[tuple[str, int], Version] = field(default_factory=dict)
    requests: dict[tuple[str, int], ChangeRequest] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)

    def at(self, days: int, hour: float, act: Callable[..., Any], *given: Any, **named: Any) -> None:
        """Note that something happened then."""
        self.events.append(Event(self.days.ago(days, hour), len(self.events), lambda: act(*given, **named)))

    def tell(self) -> None:
        """Let everything happen, in order."""
        for event in sorted(self.events):
            if event.moment > self.clock.moment:
                self.clock.move_to(event.moment)
            event.act()

    # What people do

    def found(self, text: PromptText) -> None:
        """Create a prompt with its first version, and its tests."""
        self.share(text)
        self.clock.wait(minutes=12)
        self._set_tests(text)

    def share(self, text: PromptText) -> None:
        """Create a prompt and write its first version."""
        first = text.wordings[0]
        self.prompts[text.name] = prompts.create_prompt(
            workspace=self.cast.workspace,
            name=text.name,
            kind=text.kind,
            description=text.description,
            tags=text.tags,
            acting_user=self.cast.users[first.author],
        )
        self.write(text, 1)

    def write(self, text: PromptText, number: int, staged: bool = True) -> None:
        """Save a version and put it live in dev and, once somebody has looked at it, in staging."""
        wording = text.wordings[number - 1]
        author = self.cast.users[wording.author]
        draft = prompts.open_draft(prompt=self.prompts[text.name], acting_user=author)
        self._type(draft, text, wording)
        self.clock.wait(minutes=14)
        version = prompts.save_version(draft=self._draft(draft), message=wording.note, acting_user=author)
        self.versions[text.name, number] = version
        for environment, minutes in (("dev", 2), ("staging", 25)):
            self.clock.wait(minutes=minutes)
            if staged or environment != "staging":
                self._deploy(version, environment)

    def _type(self, draft: Draft, text: PromptText, wording: Wording) -> None:
        content = {
            "messages": wording.messages,
            "format": wording.format,
            "variables": text.variables,
            "model_config": {"model": wording.model, "parameters": wording.parameters},
            "output_schema": text.schema,
        }
        author = draft.author
        assert author is not None  # noqa: S101  only people write in this story
        prompts.save_draft(draft=draft, revision=draft.revision, content=content, acting_user=author)

    def _draft(self, draft: Draft) -> Draft:
        return Draft.objects.select_related("prompt").get(pk=draft.pk)

    def _deploy(self, version: Version, environment: str) -> None:
        place = self.place(environment)
        prompts.deploy(
            version=version,
            environment=place,
            actor=self.cast.users["paula"],
            replaces=self.live(version.prompt, place),
        )

    def place(self, name: str) -> Environment:
        return self.cast.workspace.environments.get(name=name)

    def live(self, prompt: Prompt, place: Environment) -> Deployment | None:
        return Deployment.objects.by_prompt(place.pk, [prompt.pk]).get(prompt.pk)

    def _set_tests(self, text: PromptText) -> None:
        """Collect the cases of a prompt and say what its answers are held to."""
        paula = self.cast.users["paula"]
        suite = next(suite for suite in SUITES if suite.prompt is text)
        dataset = experiments.create_dataset(
            workspace=self.cast.workspace, name=suite.dataset, description=suite.about, acting_user=paula
        )
        for case in experiments.add_cases(dataset=dataset, cases=suite.cases, acting_user=paula):
            # Which pairs people are shown follows from the keys: with these, every load shows the same.
            Case.objects.filter(pk=case.pk).update(key=uuid5(NAMESPACE_URL, f"{suite.dataset}/{case.name}"))
        self.suites[text.name] = experiments.create_suite(
            prompt=self.prompts[text.name],
            dataset=dataset,
            name=suite.name,
            rules={"assertions": suite.assertions, "pass_threshold": suite.pass_threshold},
            acting_user=paula,
        )

    def propose(self, name: str, number: int, title: str, why: str) -> None:
        """Ask for a version to go live in production; its tests start by themselves and are answered soon."""
        version = self.versions[name, number]
        assert version.author is not None  # noqa: S101  everybody in this story has a name
        request = prompts.open_change_request(
            version=version, environment=self.place("production"), title=title, why=why, acting_user=version.author
        )
        self.requests[name, number] = request
        self.clock.wait(seconds=20)
        for run in Run.objects.filter(change_request=request).with_names().select_related("workspace"):
            runs.work_off(run, self.cast, self.clock)

    def propose_together(self, wanted: Sequence[tuple[str, int]], title: str, why: str) -> None:
        """Ask for versions of several prompts to go live as one; the tests of each are answered soon."""
        olga = self.cast.users["olga"]
        versions = [self.versions[one] for one in wanted]
        place = self.place("production")
        draft = prompts.start_change_request(
            versions=versions[:1],
            environment=place,
            title=title,
            why=why,
            reviewers=[self.cast.users["ravi"]],
            acting_user=olga,
        )
        for version in versions[1:]:
            self.clock.wait(minutes=2)
            prompts.add_to_change_request(change_request=draft, version=version, acting_user=olga)
        request = prompts.submit_change_request(change_request=draft, acting_user=olga)
        self.clock.wait(seconds=20)
        for run in Run.objects.filter(change_request=request).with_names().select_related("workspace"):
            runs.work_off(run, self.cast, self.clock)

    def propose_for_later(self, wanted: tuple[str, int], environment: str, title: str, why: str) -> None:
        """Ask for a version where nothing is missing, and let it go live tomorrow morning."""
        olga, version = self.cast.users["olga"], self.versions[wanted]
        request = prompts.open_change_request(
            version=version, environment=self.place(environment), title=title, why=why, acting_user=olga
        )
        for run in Run.objects.filter(change_request=request).with_names().select_related("workspace"):
            runs.work_off(run, self.cast, self.clock)
        at = self.days.ago(-1, 8.0)
        prompts.schedule_promotion(change_request=request, at=at, acting_user=self.cast.users["paula"])

    def point_at(self, name: str, number: int, who: str, words: str, text: str) -> None:
        """Say something about a line of the first message of what is asked for."""
        version = self.versions[name, number]
        quote = next(line for line in anchors.lines_of(version, 0) if words in line)
        prompts.comment_on_change_request(
            change_request=self.requests[name, number],
            remark=text,
            anchor=prompts.Anchor(version.prompt_id, 0, quote),
            acting_user=self.cast.users[who],
        )

    def answer(self, name: str, number: int, who: str, text: str) -> None:
        """Answer the thread beside the text of a request."""
        request = self.requests[name, number]
        first = request.comments.exclude(prompt=None).get()
        prompts.comment_on_change_request(
            change_request=request, remark=text, reply_to=first, acting_user=self.cast.users[who]
        )

    def rate(self, name: str, number: int, rater: str, count: int = 1_000) -> None:
        """Let somebody rate what waits about a request."""
        for queue in Queue.objects.open().filter(change_request=self.requests[name, number]):
            ratings.rate(queue, self.cast.users[rater], self.clock, count)

    def review(self, name: str, number: int, comment: str, decision: str = Approval.Decision.APPROVE) -> None:
        """Let Ravi decide."""
        prompts.review_change_request(
            change_request=self.requests[name, number],
            decision=decision,
            comment=comment,
            acting_user=self.cast.users["ravi"],
        )

    def remark(self, name: str, number: int, who: str, text: str) -> None:
        """Add to the discussion of a request."""
        request = self.requests[name, number]
        prompts.comment_on_change_request(change_request=request, remark=text, acting_user=self.cast.users[who])

    def promote(self, name: str, number: int, reason: str = "") -> None:
        """Put what was asked for live."""
        request = self.requests[name, number]
        prompts.promote_change_request(change_request=request, actor=self.cast.users["paula"], reason=reason)

    def withdraw(self, name: str, number: int) -> None:
        """Take a request back."""
        request = self.requests[name, number]
        prompts.withdraw_change_request(change_request=request, acting_user=request.author)

    def roll_back(self, name: str, reason: str) -> None:
        """Put back what was live in production before."""
        place, prompt = self.place("production"), self.prompts[name]
        replaces = self.live(prompt, place)
        assert replaces is not None  # noqa: S101  it was promoted twice before
        assert replaces.previous is not None  # noqa: S101  as above
        prompts.roll_back(
            prompt=prompt,
            environment=place,
            to=replaces.previous,
            replaces=replaces,
            actor=self.cast.users["paula"],
            reason=reason,
        )

    def use_answers_again(self, days: int, hours: int) -> None:
        """Decide how long texts are kept, and how long an answer may serve again."""
        llm.change_keeping(
            workspace=self.cast.workspace,
            kept=BodyPolicy.Kept.FULL,
            days=days,
            reuse_hours=hours,
            acting_user=self.cast.users["olga"],
        )
        policies.forget()

    def compare_models(
        self, name: str, number: int, one: str = LARGE, other: str = SMALL, *, reuse: bool = False
    ) -> None:
        """Try one version on two models."""
        offered = models.models_of(self.cast.workspace)
        version = self.versions[name, number]
        run = experiments.start_run(
            suite=self.suites[name],
            arms=[experiments.Arm(version, model=offered[one]), experiments.Arm(version, "baseline", offered[other])],
            acting_user=self.cast.users["paula"],
            reuse=reuse,
        )
        self.clock.wait(seconds=20)
        runs.work_off(Run.objects.with_names().select_related("workspace").get(pk=run.pk), self.cast, self.clock)

    def begin_draft(self, text: PromptText) -> None:
        """Leave half an idea in a draft, as people do."""
        draft = prompts.open_draft(prompt=self.prompts[text.name], acting_user=self.cast.users["olga"])
        last = text.wordings[-1]
        messages = [dict(message) for message in last.messages]
        messages[0]["content"] += "\nIf the customer thanks us, answer in two sentences."
        idea = Wording("olga", "", messages, last.model, last.parameters, last.format)
        self._type(draft, text, idea)

    def new_price(self, model: str, per_million: dict[Meter, str], source: str) -> None:
        """Change what a model costs."""
        models.change_price(self.cast, model, per_million, source)
