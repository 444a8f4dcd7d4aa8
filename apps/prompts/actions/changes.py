"""Change requests: collecting prompts, asking for them to go live, asking anew."""

from collections.abc import Iterable, Sequence

from django.db import transaction
from django.db.models import Max, QuerySet

from apps.accounts import audit
from apps.accounts.models import ApiKey, Membership, User, Workspace
from apps.accounts.rights import Right
from apps.core import text
from apps.core.errors import DomainError, NotAllowed
from apps.prompts import policy, signals
from apps.prompts.actions import steps
from apps.prompts.models import AskedReviewer, ChangeRequest, ChangeRequestItem, Deployment, Environment, Version
from apps.prompts.models.changes import State

MOST_PROMPTS = 50


@transaction.atomic
def open_change_request(  # noqa: PLR0913  what a request is made of
    *,
    version: Version,
    environment: Environment,
    title: str,
    why: str = "",
    reviewers: Iterable[User] = (),
    replaces: ChangeRequest | None = None,
    acting_user: User,
    acting_key: ApiKey | None = None,
) -> ChangeRequest:
    """Ask for a version to go live, against what is live there now; with a key, for the person who answers for it.

    Raises DomainError when it already is, when nothing is said, or when the same wish is waiting.
    """
    place = steps.take(environment, [version.prompt_id])
    request = _start(place, [version], title, why, acting_user, acting_key)
    _ask(request, reviewers)
    return _open(request, replaces, acting_user)


@transaction.atomic
def start_change_request(
    *,
    versions: Sequence[Version],
    environment: Environment,
    title: str,
    why: str = "",
    reviewers: Iterable[User] = (),
    acting_user: User,
) -> ChangeRequest:
    """Begin a request that only its author sees, to collect prompts that go live as one.

    Raises DomainError when nothing is said.
    """
    place = steps.take(environment, [version.prompt_id for version in versions])
    request = _start(place, versions, title, why, acting_user)
    _ask(request, reviewers)
    after = {"environment": place.name, "versions": _named(request)}
    audit.record(workspace=request.workspace, actor=acting_user, verb="drafted", target=request, after=after)
    return steps.fresh(request)


@transaction.atomic
def submit_change_request(
    *, change_request: ChangeRequest, replaces: ChangeRequest | None = None, acting_user: User
) -> ChangeRequest:
    """Open one's own draft: from now on it is judged against what is live.

    Raises NotAllowed for anybody else's, DomainError as `open_change_request` does.
    """
    request = steps.take_request(change_request)
    if request.author_id != acting_user.pk:
        raise NotAllowed("Only its author opens a draft.")
    if not request.is_draft:
        raise DomainError("This request is open already.")
    return _open(request, replaces, acting_user)


def _start(
    place: Environment,
    versions: Sequence[Version],
    title: str,
    why: str,
    acting_user: User,
    acting_key: ApiKey | None = None,
) -> ChangeRequest:
    request = ChangeRequest.objects.create(
        workspace=place.workspace,
        number=_next_number(place.workspace),
        environment=place,
        state=State.DRAFT,
        author=acting_user,
        author_key=acting_key,
        **_words(title, why),
    )
    for version in versions:
        _put_in(request, version, acting_user)
    return request


def _words(title: str, why: str) -> dict[str, str]:
    title = text.clean(title, field="The title", max_bytes=800).strip()[:200]
    if not title:
        raise DomainError("Give the request a title: what gets better?")
    return {"title": title, "why": text.clean(why, field="The reason", max_bytes=20_000).strip()}


def _next_number(workspace: Workspace) -> int:
    Workspace.objects.select_for_update(no_key=True).get(pk=workspace.pk)
    highest = workspace.change_requests.aggregate(highest=Max("number"))["highest"]
    return int(highest or 0) + 1


def _ask(request: ChangeRequest, reviewers: Iterable[User]) -> list[User]:
    """Set whose eyes are asked for and return those who are new."""
    may = Membership.objects.filter(workspace=request.workspace_id).with_right(Right.REVIEW)
    able = set(may.values_list("user_id", flat=True)) - {request.author_id}
    wanted = {user.pk: user for user in reviewers}
    if left := [str(user) for pk, user in wanted.items() if pk not in able]:
        raise DomainError(f"{left[0]} cannot review this: ask somebody else who reviews.")
    known = set(request.asked.values_list("user_id", flat=True))
    request.asked.exclude(user__in=wanted).delete()
    new = [user for pk, user in wanted.items() if pk not in known]
    AskedReviewer.objects.bulk_create(AskedReviewer(change_request=request, user=user) for user in new)
    return new


def _put_in(request: ChangeRequest, version: Version, acting_user: User) -> None:
    """Add a prompt, or ask for another version of one that is in; compared with what is live now."""
    if version.prompt.workspace_id != request.workspace_id:
        raise DomainError("The version and the environment belong to different workspaces.")
    if version.prompt.archived_at:
        raise DomainError(f"{version.prompt.name} is archived.")
    live = _live(request, [version.prompt_id]).get(version.prompt_id)
    if live and live.version.pk == version.pk:
        raise DomainError(
            f"{version.prompt.name} version {version.number} is already live in {request.environment.name}."
        )
    ChangeRequestItem.objects.update_or_create(
        change_request=request,
        prompt=version.prompt,
        defaults={"version": version, "base": live, "chosen_by": acting_user},
    )
    if _rows(request).count() > MOST_PROMPTS:
        raise DomainError(f"A request holds at most {MOST_PROMPTS} prompts.")


def _rows(request: ChangeRequest) -> QuerySet[ChangeRequestItem]:
    """Return the items as they stand in the database by now, not as they were loaded."""
    return ChangeRequestItem.objects.filter(change_request=request)


def _live(request: ChangeRequest, prompt_ids: list[int]) -> dict[int, Deployment]:
    return Deployment.objects.by_prompt(request.environment_id, prompt_ids)


def _open(request: ChangeRequest, replaces: ChangeRequest | None, acting_user: User) -> ChangeRequest:
    """Compare everything with what is live now, let go of what it replaces, and begin to ask for evidence and eyes."""
    _compare_anew(request)
    _require_new(request, replaces)
    steps.move(request, State.OPEN)
    _announce(request, acting_user)
    if replaces:
        _replace(request, replaces)
    request = steps.settle(request, by=acting_user)
    if request.environment.approvals_needed:
        steps.tell_reviewers(request)
    after = {"environment": request.environment.name, **_facts(request), **_identity(request)}
    actor = request.author_key or acting_user
    audit.record(workspace=request.workspace, actor=actor, verb="proposed", target=request, after=after)
    return request


def _compare_anew(request: ChangeRequest) -> list[str]:
    """Take what is live now as the base of every item; return the names of what changed there.

    What asks for a version that is live by now leaves the request. Raises DomainError when nothing is left.
    """
    items = list(request.items.select_related("version", "prompt").order_by("prompt_id"))
    live = _live(request, [item.prompt_id for item in items])
    moved = []
    for item in items:
        base = live.get(item.prompt_id)
        if base and base.version.pk == item.version_id:
            item.delete()
        elif (base and base.pk) != item.base_id:
            ChangeRequestItem.objects.filter(pk=item.pk).update(base=base)
        else:
            continue
        moved.append(item.prompt.name)
    if not _rows(request).exists():
        raise DomainError("Everything that it asks for is live already." if items else "Add a prompt first.")
    return moved


def _require_new(request: ChangeRequest, replaces: ChangeRequest | None) -> None:
    """Refuse a wish that waits already: the same by anybody, or another of the same author that is not replaced."""
    rivals = ChangeRequestItem.objects.filter(
        change_request__in=ChangeRequest.objects.waiting().filter(environment=request.environment_id),
        prompt__in=request.items.values("prompt"),
    ).exclude(change_request=request.pk)
    wanted = set(request.items.values_list("version_id", flat=True))
    for rival in rivals.select_related("change_request", "prompt").order_by("pk"):
        if replaces and rival.change_request_id == replaces.pk:
            continue
        if rival.version_id in wanted or rival.change_request.author_id == request.author_id:
            where = f"{rival.prompt.name} in {request.environment.name}"
            raise DomainError(f"{rival.change_request} already waits to change {where}.")


def _replace(request: ChangeRequest, old: ChangeRequest) -> None:
    """Let a new request take the place of an older one of its author."""
    prompts = request.items.values("prompt")
    old = steps.fresh(old)
    if old.author_id != request.author_id or old.environment_id != request.environment_id:
        raise NotAllowed("Only one's own request for the same environment can be replaced.")
    if not (old.is_waiting and old.items.filter(prompt__in=prompts).exists()):
        raise DomainError(f"{old} does not wait for any of these prompts.")
    steps.supersede(old, request, f"{request} replaces it.")


def _announce(request: ChangeRequest, acting_user: User) -> None:
    """Let the rooms above know what is asked for now: their evidence is wanted."""
    again = steps.fresh(request)
    signals.change_request_opened.send(sender=ChangeRequest, change_request=again, acting_user=acting_user)


def _named(request: ChangeRequest) -> list[str]:
    return sorted(str(item.version) for item in request.items.select_related("version__prompt"))


def _facts(request: ChangeRequest) -> dict[str, object]:
    """Return what the log says is asked for: the one version, or all by name."""
    items = list(request.items.all())
    return {"version": items[0].version.number} if len(items) == 1 else {"versions": _named(request)}


def _identity(request: ChangeRequest) -> dict[str, str]:
    return {"content_hash": policy.content_hash(request), "state": request.state}


@transaction.atomic
def edit_change_request(
    *, change_request: ChangeRequest, title: str, why: str, reviewers: Iterable[User], acting_user: User
) -> ChangeRequest:
    """Say better what is asked for and whose eyes are wanted. What was approved is the same, so approvals stay.

    Raises NotAllowed for anybody else's request, DomainError without a title.
    """
    request = steps.locked(change_request)
    if request.author_id != acting_user.pk:
        raise NotAllowed("Only its author changes what a request says.")
    if not request.is_draft:
        steps.require_waiting(request)
    ChangeRequest.objects.filter(pk=request.pk).update(**_words(title, why))
    new = _ask(request, reviewers)
    request = steps.fresh(request)
    if new and not request.is_draft:
        steps.tell_reviewers(request, only=new)
    after = {"reviewers": sorted(asked.user_id for asked in request.asked.all())}
    audit.record(workspace=request.workspace, actor=acting_user, verb="reworded", target=request, after=after)
    return request


@transaction.atomic
def replace_version(*, change_request: ChangeRequest, version: Version, acting_user: User) -> ChangeRequest:
    """Ask for a newer version instead, against what is live now. Approvals and checks of the old one stop counting.

    Raises DomainError when nothing would change.
    """
    request = _taken(change_request)
    item = request.items.select_related("prompt", "version").filter(prompt=version.prompt_id).first()
    if item is None:
        raise DomainError(f"{version.prompt.name} is not in this request any more.")
    live = _live(request, [item.prompt_id]).get(item.prompt_id)
    if item.version_id == version.pk and item.base_id == (live.pk if live else None):
        raise DomainError("The request already asks for this version against what is live now.")
    before: dict[str, object] = {"version": item.version.number}
    _put_in(request, version, acting_user)
    return _changed(request, acting_user, before, {"prompt": item.prompt.name, "version": version.number})


@transaction.atomic
def add_to_change_request(*, change_request: ChangeRequest, version: Version, acting_user: User) -> ChangeRequest:
    """Put one more prompt into a request, so that all of them go live as one.

    Raises NotAllowed for the draft of another, DomainError for a prompt that is in already.
    """
    request = _taken(change_request)
    if request.items.filter(prompt=version.prompt_id).exists():
        raise DomainError(f"{version.prompt.name} is in this request already: ask for another version there.")
    _put_in(request, version, acting_user)
    _require_new(request, None)
    return _changed(request, acting_user, {}, {"added": version.prompt.name, "version": version.number})


@transaction.atomic
def remove_from_change_request(*, change_request: ChangeRequest, prompt_id: int, acting_user: User) -> ChangeRequest:
    """Take a prompt out of a request. Raises DomainError for the last one of an open request."""
    request = _taken(change_request)
    item = request.items.select_related("prompt").filter(prompt=prompt_id).first()
    if item is None:
        raise DomainError("That prompt is not in this request.")
    if request.is_waiting and request.items.count() == 1:
        raise DomainError("A request asks for something. Withdraw it, if you want nothing any more.")
    item.delete()
    return _changed(request, acting_user, {}, {"removed": item.prompt.name})


@transaction.atomic
def rebase_change_request(*, change_request: ChangeRequest, acting_user: User) -> ChangeRequest:
    """Compare with what is live now: what was approved was another difference. Brings back what was overtaken.

    Raises DomainError when nothing moved, or when everything it asks for is live by now.
    """
    request = steps.take_request(change_request)
    overtaken = request.state == State.SUPERSEDED
    if not overtaken:
        _require_collecting(request)
    moved = _compare_anew(request)
    if not moved:
        raise DomainError("Nothing that is live moved: the request is compared with it already.")
    if overtaken:
        _require_new(request, None)
        steps.move(request, State.OPEN)
    return _changed(request, acting_user, {}, {"compared anew": moved})


def _taken(change_request: ChangeRequest) -> ChangeRequest:
    request = steps.take_request(change_request)
    _require_collecting(request)
    return request


def _require_collecting(request: ChangeRequest) -> None:
    if request.is_scheduled:
        raise DomainError("It is scheduled as it stands. Take it off the schedule before you change it.")
    if not request.is_draft:
        steps.require_waiting(request)


def _changed(
    request: ChangeRequest, acting_user: User, before: dict[str, object], after: dict[str, object]
) -> ChangeRequest:
    """Start the evidence anew for what is asked now; all that bound to the old content stopped counting."""
    if request.is_draft and request.author_id != acting_user.pk:
        raise NotAllowed("Only its author collects in a draft.")
    if not request.is_draft:
        _announce(request, acting_user)
        request = steps.settle(request, by=acting_user)
        if request.environment.approvals_needed:
            steps.tell_reviewers(request)
        steps.tell_author(request, acting_user, "changed", f"{acting_user} changed what you ask for: {request.title}")
    request = steps.fresh(request)
    after = {**after, **_identity(request)}
    audit.record(
        workspace=request.workspace, actor=acting_user, verb="updated", target=request, before=before, after=after
    )
    return request


@transaction.atomic
def withdraw_change_request(*, change_request: ChangeRequest, acting_user: User) -> ChangeRequest:
    """Take one's own request back. Raises NotAllowed for anybody else's."""
    request = steps.locked(change_request)
    if request.author_id != acting_user.pk:
        raise NotAllowed("Only its author can withdraw a request.")
    if not request.is_draft:
        steps.require_waiting(request)
    scheduled_by = request.scheduled_by
    steps.close(request, State.WITHDRAWN)
    steps.tell_scheduler(request, scheduled_by, f"Not promoted as scheduled: {acting_user} withdrew {request.title}")
    audit.record(workspace=request.workspace, actor=acting_user, verb="withdrew", target=request)
    return request
