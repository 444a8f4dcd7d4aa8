"""Setting up queues, closing them, and what raters do. Ratings, claims and skips are their own history: no audit."""

from random import SystemRandom
from uuid import UUID

from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.models import Membership, User
from apps.accounts.rights import Right
from apps.core import text
from apps.core.errors import Conflict
from apps.experiments.models import Run
from apps.notices import actions as notices
from apps.prompts import actions as prompts
from apps.prompts import policy
from apps.prompts.models import ChangeRequest, Check
from apps.reviews import assignment, pairs, proofs, results, rubrics, sampling
from apps.reviews.models import Item, Queue, Rating, Skip, Slot
from apps.reviews.models.queues import QueueQuerySet

CHECK = "people"
SKIPS_TO_FLAG = 3
UNDO_LIMIT = 10


class QueueClosed(Conflict):
    """The queue's result stands."""


@transaction.atomic
def create_pairwise_queue(*, run: Run, acting_user: User | None, overlap: int = 2, limit: int = 20) -> Queue:
    """Ask people which answers of a finished run are better, each pair `overlap` times, and tell the raters.

    The queue speaks for the run's change request if the run is about what that asks for now. Raises
    pairs.NothingToCompare without a baseline or without answers that differ, Conflict when people were asked already.
    """
    chosen = sampling.choose(pairs.pairs_of(run), limit)
    if not chosen:
        raise pairs.AllTheSame("Every answer is the same as what is live, so there is nothing to choose between")
    request = _request_of(run)
    if request:
        _require_first(run, request)
        _shut(_queues_about(run, request), set_aside=True)
    queue = Queue.objects.create(
        workspace=run.workspace,
        name=run.suite.prompt.name,
        overlap=overlap,
        rubric_version=rubrics.pairwise(run.workspace),
        run=run,
        change_request=request,
        content_hash=policy.content_hash(request) if request else "",
        barred_ids=sorted(pairs.authors_of(run)),
        created_by=acting_user,
    )
    _fill(queue, chosen)
    _tell_raters(queue)
    _report(queue, request)
    after = {"run": run.pk, "pairs": len(chosen), "overlap": overlap}
    audit.record(workspace=run.workspace, actor=acting_user, verb="opened", target=queue, after=after)
    return queue


def _request_of(run: Run) -> ChangeRequest | None:
    """Lock and return the request that a queue about the run would speak for, if there is one."""
    request = _locked(run.change_request_id)
    return request if request and request.is_waiting and pairs.is_about(run, request) else None


def _require_first(run: Run, request: ChangeRequest) -> None:
    if Queue.objects.filter(run=run, change_request=request).exists():
        raise Conflict("People were already asked about this run.")
    if standing := _rated_queue(run, request):
        raise Conflict(f"People already rate these two versions for this request, in {standing}: what they say stands.")


def _rated_queue(run: Run, request: ChangeRequest) -> Queue | None:
    """Return the request's first queue about the same two versions in which somebody has rated."""
    rated = _queues_alike(run, request).rated()
    return rated.select_related("workspace", "rubric_version__rubric").order_by("id").first()


def _queues_alike(run: Run, request: ChangeRequest) -> QueueQuerySet:
    return Queue.objects.filter(change_request=request, run__in=pairs.runs_alike(run, request))


def _queues_about(run: Run, request: ChangeRequest) -> QueueQuerySet:
    """Return the request's queues about that prompt: those about its other prompts go on."""
    return Queue.objects.filter(change_request=request, run__suite__prompt=run.suite.prompt_id)


def _fill(queue: Queue, chosen: list[sampling.Pair]) -> None:
    items = Item.objects.bulk_create(
        Item(
            queue=queue,
            output_candidate_id=pair.candidate_id,
            output_baseline_id=pair.baseline_id,
            priority=len(chosen) - rank,
            content_hash=pair.content_hash,
        )
        for rank, pair in enumerate(chosen)
    )
    flips = sampling.sides(len(items), queue.overlap, SystemRandom())
    Slot.objects.bulk_create(
        Slot(queue=queue, item=item, k=k, priority=item.priority, flipped=flipped)
        for item, sides in zip(items, flips, strict=True)
        for k, flipped in enumerate(sides)
    )


def _tell_raters(queue: Queue) -> None:
    raters = Membership.objects.filter(workspace=queue.workspace, user__is_active=True).with_right(Right.RATE)
    count = queue.items.count()
    notices.notify(
        users=[member.user for member in raters.select_related("user") if member.user_id not in queue.barred_ids],
        workspace=queue.workspace,
        kind="ratings_wanted",
        title=f"{results.plural(count, 'pair')} of answers to rate: {queue.name}",
        body="Read two answers side by side and say which is better. One key each.",
        url=reverse("rate", kwargs={"workspace": queue.workspace.slug, "queue_token": queue.token}),
    )


@transaction.atomic
def close_queue(*, queue: Queue, acting_user: User | None) -> Queue:
    """Stop handing out items and report what was found so far. Answers still on their way are kept, but not counted.

    Raises QueueClosed when it already is.
    """
    request = _locked(queue.change_request_id)
    if not _shut(Queue.objects.filter(pk=queue.pk)):
        raise QueueClosed("This queue is closed already.")
    queue.refresh_from_db()
    _report(queue, request)
    after = {"ratings": Rating.objects.of(queue).counted().count()}
    audit.record(workspace=queue.workspace, actor=acting_user, verb="closed", target=queue, after=after)
    return queue


@transaction.atomic
def close_queues_of(*, change_request: ChangeRequest) -> int:
    """Close what still asks about a change request that is decided or has changed. Return how many were open."""
    return _shut(Queue.objects.filter(change_request=change_request), set_aside=True)


def _shut(queues: QueueQuerySet, *, set_aside: bool = False) -> int:
    now = timezone.now()
    closing = list(
        queues.open().select_for_update(of=("self",), no_key=True).order_by("id").values_list("pk", flat=True)
    )
    Slot.objects.filter(queue__in=closing).unfinished().update(dropped_at=now)
    closed = {"state": Queue.State.CLOSED, "closed_at": now, "set_aside": set_aside}
    return Queue.objects.filter(pk__in=closing).open().update(**closed)


def _take_up(queue: Queue) -> None:
    """Go on with a queue that was set aside: what it still wanted then is wanted again."""
    Slot.objects.filter(queue=queue, dropped_at=queue.closed_at).update(dropped_at=None)
    Queue.objects.filter(pk=queue.pk, set_aside=True).update(state=Queue.State.OPEN, closed_at=None, set_aside=False)
    queue.refresh_from_db(fields=["state", "closed_at", "set_aside"])


@transaction.atomic
def submit_rating(
    *,
    queue: Queue,
    token: UUID,
    key: UUID,
    answer: str,
    comment: str = "",
    seconds: int | None = None,
    acting_user: User,
) -> assignment.Answered:
    """Store what a rater says of the item in their hands, once; report it to the change request behind the queue.

    Raises assignment.NotYours for an item that was never handed to them.
    """
    # The request's row is the first lock, here and where it is decided, so that neither waits for the other in a ring.
    request = _locked(queue.change_request_id)
    answered = assignment.submit(
        queue,
        acting_user,
        token=token,
        key=key,
        answer=Rating.Answer(answer).value,
        comment=_remark(comment),
        seconds=seconds,
    )
    if answered.is_new and answered.rating.counted:
        _report(queue, request)
    return answered


@transaction.atomic
def revise_rating(*, queue: Queue, key: UUID, answer: str, comment: str = "", acting_user: User) -> Rating:
    """Change one of one's last ratings. Raises QueueClosed when the result stands, NotYours for any other rating."""
    request = _locked(queue.change_request_id)
    if not Queue.objects.filter(pk=queue.pk).open().exists():
        raise QueueClosed("This queue is closed: its result stands, and so does your answer.")
    rating = next((mine for mine in last_ratings(queue, acting_user) if mine.idempotency_key == key), None)
    if rating is None:
        raise assignment.NotYours(f"Only your last {UNDO_LIMIT} answers can be changed.")
    rating = assignment.revise(rating, answer=Rating.Answer(answer).value, comment=_remark(comment))
    if rating.counted:
        _report(queue, request)
    return rating


@transaction.atomic
def skip_item(*, queue: Queue, token: UUID, reason: str, note: str = "", acting_user: User) -> Skip | None:
    """Leave the item to others, with a reason. The third skip for the same reason takes it out of the queue.

    Return None when this person had rated or skipped it before. Raises NotYours.
    """
    request = _locked(queue.change_request_id)
    reason = Skip.Reason(reason).value
    found = assignment.skip(queue, acting_user, token=token, reason=reason, note=_remark(note, 500))
    if found and Skip.objects.filter(item=found.item_id, reason=reason).count() >= SKIPS_TO_FLAG:
        now = timezone.now()
        if Item.objects.filter(pk=found.item_id, flagged_at=None).update(flagged_for=reason, flagged_at=now):
            Slot.objects.filter(item=found.item_id).unfinished().update(dropped_at=now)
            _report(queue, request)
    return found


def last_ratings(queue: Queue, user: User) -> list[Rating]:
    """Return what this person said last in the queue, newest first: as far as undo reaches."""
    mine = Rating.objects.of(queue).filter(rater=user).select_related("item__output_candidate__case")
    return list(
        mine.select_related("item__output_baseline", "item__output_candidate__case").newest_first()[:UNDO_LIMIT]
    )


def _remark(value: str, length: int = 2000) -> str:
    return text.clean(value, field="The comment", max_bytes=4 * length).strip()[:length]


def _locked(request_id: int | None) -> ChangeRequest | None:
    if request_id is None:
        return None
    requests = ChangeRequest.objects.select_for_update(of=("self",), no_key=True)
    return requests.select_related("environment", "workspace").get(pk=request_id)


def _report(queue: Queue, request: ChangeRequest | None) -> None:
    """Tell the change request what people found, unless it is decided or asks for something else by now."""
    if request is None or not request.is_waiting or policy.content_hash(request) != queue.content_hash:
        return
    if queue.run is None or Queue.objects.filter(pk=queue.pk, set_aside=True).exists():
        return
    found = results.results_of(queue)
    status, summary = check_of(found)
    part = proofs.Part(
        status=status,
        summary=summary,
        evidence=found.evidence if status != Check.Status.PENDING else {"queue": queue.pk},
        url=reverse("queue_detail", kwargs={"workspace": queue.workspace.slug, "queue_id": queue.pk}),
    )
    _tell_request(request, queue.run.suite.prompt_id, part, queue.content_hash)


def _tell_request(request: ChangeRequest, prompt_id: int, part: proofs.Part, content_hash: str) -> None:
    """Report what people found of one prompt, put together with what stands about the request's others."""
    whole = proofs.together(request, CHECK, prompt_id, part, content_hash)
    prompts.report_check(
        change_request=request,
        name=CHECK,
        status=whole.status,
        summary=whole.summary,
        evidence=whole.evidence,
        url=whole.url,
        content_hash=content_hash,
    )


def check_of(found: results.Results) -> tuple[str, str]:
    """Return the status and the line that a queue reports. The candidate passes unless people clearly prefer live."""
    if found.queue.is_open and not found.is_complete:
        return Check.Status.PENDING, f"{found.done} of {results.plural(found.wanted, 'rating')}"
    if not found.ratings:
        return Check.Status.ERRORED, "The queue ended before anyone rated"
    return (Check.Status.FAILED if found.preference.is_worse else Check.Status.PASSED), found.summary


@transaction.atomic
def expect_people(*, change_request: ChangeRequest) -> None:
    """Note that people will be asked, when the environment wants that, and stop asking about an older version."""
    close_queues_of(change_request=change_request)
    if CHECK in change_request.environment.required_checks:
        summary = "Waits for the answers of the test run"
        prompts.report_check(change_request=change_request, name=CHECK, status=Check.Status.PENDING, summary=summary)


@transaction.atomic
def ask_people(*, run: Run) -> Queue | None:
    """Open the queue that a finished run's change request needs, or say in its check why there is nothing to ask."""
    request = _request_of(run)
    if request is None or CHECK not in request.environment.required_checks:
        return None
    if Queue.objects.filter(run=run, change_request=request).exists():
        return None
    if kept := _rated_queue(run, request):
        return _keep(kept, request)
    if run.state != Run.State.DONE and (open_queue := _queues_alike(run, request).open().first()):
        return open_queue
    if run.state == Run.State.DONE and pairs.is_one_sided(run):
        _say(request, run, Check.Status.PASSED, "Nothing is live yet, so there is nothing to compare with")
        return None
    try:
        return create_pairwise_queue(run=run, acting_user=None)
    except pairs.AllTheSame as same:
        _say(request, run, Check.Status.PASSED, same.message)
    except pairs.NothingToCompare as nothing:
        _say(request, run, Check.Status.ERRORED, nothing.message)
    return None


def _keep(queue: Queue, request: ChangeRequest) -> Queue:
    """Let what people said of these two versions stand: another run must not bring other pairs or other people."""
    if queue.set_aside and queue.run:
        _shut(_queues_about(queue.run, request), set_aside=True)
        _take_up(queue)
    # The same two versions, perhaps asked for anew: what live is put back is another deployment.
    queue.content_hash = policy.content_hash(request)
    queue.save(update_fields=["content_hash"])
    _report(queue, request)
    return queue


def _say(request: ChangeRequest, run: Run, status: str, summary: str) -> None:
    _tell_request(request, run.suite.prompt_id, proofs.Part(status, summary), policy.content_hash(request))
