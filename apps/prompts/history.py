"""What was live when, and who put it there: the state of a past moment, and lanes to draw."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.formats import date_format

from apps.accounts.models import Workspace
from apps.prompts.models import Deployment, Environment, Prompt

RANGES = (("day", "24 hours", 1), ("week", "7 days", 7), ("month", "30 days", 30), ("quarter", "90 days", 90))
YEAR = ("year", "A year", 365)
MOST_SEGMENTS = 400
TICKS = 5
THINNEST = 0.4


@dataclass(frozen=True)
class Window:
    """The stretch of time that is drawn."""

    name: str
    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        return self.end - self.start

    def place(self, moment: datetime) -> float:
        """Return where a moment stands, in percent from the left, kept inside."""
        share = (moment - self.start) / self.length
        return round(min(max(share, 0.0), 1.0) * 100, 3)


@dataclass(frozen=True)
class Segment:
    """A stretch in which one version was live: where it is drawn, what it says, where it leads."""

    x: str
    width: str
    label: str
    title: str
    deployment: Deployment
    ended_at: datetime | None
    is_wide: bool


@dataclass
class Lane:
    """One line of the picture."""

    name: str
    segments: list[Segment] = field(default_factory=list)


def window(name: str, end: datetime | None) -> Window:
    """Return the stretch of that name which ends then; a month up to now when nothing better is asked."""
    days = {key: number for key, _, number in (*RANGES, YEAR)}
    name = name if name in days else "month"
    end = end or timezone.now()
    return Window(name, end - timedelta(days=days[name]), end)


def ticks(shown: Window) -> list[dict[str, str]]:
    """Return the dates under the picture, in the workspace's zone."""
    form = "H:i" if shown.name == "day" else "j M"
    moments = [shown.start + shown.length * number / TICKS for number in range(TICKS)]
    return [
        {"x": f"{shown.place(moment)}%", "label": date_format(timezone.localtime(moment), form)} for moment in moments
    ]


def lanes_of_prompt(prompt: Prompt, environments: Collection[Environment], shown: Window) -> list[Lane]:
    """Return a lane for each environment in which the prompt was live in that time, the highest first."""
    lanes = {place.pk: Lane(place.name) for place in sorted(environments, key=lambda place: -place.rank)}
    for deployment in _drawn(Deployment.objects.filter(prompt=prompt), shown):
        lanes[deployment.environment_id].segments.append(_segment(deployment, shown))
    return [lane for lane in lanes.values() if lane.segments]


def lanes_of_place(environment: Environment, prompts: Collection[Prompt], shown: Window) -> list[Lane]:
    """Return a lane for each of these prompts that was live in the environment in that time."""
    lanes = {prompt.pk: Lane(prompt.name) for prompt in prompts}
    for deployment in _drawn(Deployment.objects.filter(environment=environment, prompt__in=prompts), shown):
        lanes[deployment.prompt_id].segments.append(_segment(deployment, shown))
    return [lane for lane in lanes.values() if lane.segments]


def _drawn(deployments: QuerySet[Deployment], shown: Window) -> list[Deployment]:
    """Return what was live at some moment of the window, oldest first, each with the moment at which it ended."""
    rows = (
        deployments.exclude(kind=Deployment.Kind.TAKE_DOWN)
        .annotate(ended_at=F("next__at"))
        .filter(Q(ended_at=None) | Q(ended_at__gt=shown.start), at__lt=shown.end)
        .select_related("environment", "actor", "actor_key", "prompt")
        .prefetch_related("arms__version")
        .order_by("-id")[:MOST_SEGMENTS]
    )
    return list(reversed(rows))


def _segment(deployment: Deployment, shown: Window) -> Segment:
    ended_at: datetime | None = deployment.ended_at  # type: ignore[attr-defined]
    left = shown.place(deployment.at)
    width = max(shown.place(min(ended_at or shown.end, shown.end)) - left, THINNEST)
    since = date_format(timezone.localtime(deployment.at), "j F Y, H:i")
    until = date_format(timezone.localtime(ended_at), "j F Y, H:i") if ended_at else "now"
    what = f"{deployment.prompt.name} v{deployment.version.number} in {deployment.environment.name}"
    return Segment(
        x=f"{left:.3f}%",
        width=f"{width:.3f}%",
        label=f"v{deployment.version.number}",
        title=f"{what}, {since} to {until}, by {deployment.who}",
        deployment=deployment,
        ended_at=ended_at,
        is_wide=width > 4,
    )


def as_of(workspace: Workspace, moment: datetime, prompts: Collection[Prompt]) -> dict[int, dict[int, Deployment]]:
    """Return what was live at a moment, by prompt id and environment id, in two queries."""
    newest = (
        Deployment.objects.filter(prompt__in=prompts, environment__workspace=workspace, at__lte=moment)
        .order_by("prompt_id", "environment_id", "-id")
        .distinct("prompt_id", "environment_id")
        .values("pk")
    )
    found: dict[int, dict[int, Deployment]] = {}
    for deployment in Deployment.objects.filter(pk__in=newest).stays().loaded().select_related("prompt"):
        found.setdefault(deployment.prompt_id, {})[deployment.environment_id] = deployment
    return found


def moves_of(workspace: Workspace, until: datetime) -> QuerySet[Deployment]:
    """Return every change of what was live up to a moment, newest first."""
    rows = Deployment.objects.filter(prompt__workspace=workspace, at__lte=until)
    return rows.newest_first().loaded().select_related("prompt")
