"""What may be done with new price lists: propose, compare anew, approve or reject."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.models import User, Workspace
from apps.accounts.rights import Right
from apps.core import canonical, text
from apps.core.errors import Conflict, DomainError, NotAllowed
from apps.costs import price_entry, price_uploads, proposals
from apps.costs.actions import repricing
from apps.costs.actions.prices import LATE, PriceInThePast
from apps.costs.models import Price, PriceProposal, PriceProposalLine
from apps.costs.models.prices import TERMS
from apps.costs.proposals import Compared
from apps.notices import actions as notices

State = PriceProposal.State
MOST_REPRICINGS = 20
FARTHEST = timedelta(days=366)


class NothingNew(DomainError):
    """The list says what the list in force says."""

    code = "nothing-new"


class ProposalDecided(Conflict):
    """Somebody has approved or rejected it already."""


class ProposalStale(Conflict):
    """The price list changed under the proposal; it has to be compared anew before anybody approves it."""


class ProposalUnconfirmed(DomainError):
    """A line with an alarm was neither confirmed nor left out."""

    code = "proposal-unconfirmed"


class NotYourOwn(NotAllowed):
    """Who uploads a list does not approve it while somebody else can."""


@transaction.atomic
def propose_public_prices(*, workspace: Workspace, acting_user: User | None) -> PriceProposal:
    """Propose what the installed public list says differently of the models in use.

    An open proposal with the same lines is returned as it is; one with other lines gives way. Raises NothingNew.
    """
    price_entry.hold(workspace)
    begins = timezone.now()
    compared = proposals.compare(workspace, proposals.public_list(workspace, begins), begins)
    if not compared.lines:
        raise NothingNew("The public list says what yours says, for every model in use.")
    for open_one in workspace.price_proposals.filter(state=State.OPEN, source__startswith=proposals.PUBLIC):
        if _says(proposals.lines_of(open_one)) == _says(compared.lines):
            return open_one
        _decide(open_one, State.REJECTED, acting_user, "A newer look at the public list took its place.")
    return _propose(workspace, proposals.public_source(), begins, compared, acting_user)


@transaction.atomic
def propose_price_list(
    *, workspace: Workspace, name: str, content: str, valid_from: datetime | None, acting_user: User
) -> PriceProposal:
    """Propose the prices of an uploaded CSV or JSON. Raises UploadRefused for what cannot be read, NothingNew."""
    listed = price_uploads.read(content)
    price_entry.hold(workspace)
    begins = valid_from or timezone.now()
    compared = proposals.compare(workspace, listed, begins)
    if not compared.lines:
        raise NothingNew("Your price list says all of that already.")
    title = " ".join(text.clean(name, field="The name of the file").split()) or "list"
    return _propose(workspace, f"{proposals.UPLOAD}{title[:150]}", begins, compared, acting_user)


@transaction.atomic
def compare_proposal_anew(
    *, proposal: PriceProposal, acting_user: User, valid_from: datetime | None = None
) -> PriceProposal:
    """Compare an open proposal with the list as it is, for a start; what is confirmed has to be confirmed again.

    A proposal that has nothing left to change is rejected. Raises ProposalDecided.
    """
    found = _held(proposal)
    found.valid_from = valid_from or max(found.valid_from, timezone.now())
    found.save(update_fields=["valid_from"])
    lines = proposals.compare_anew(found.workspace, list(proposals.lines_of(found).order_by("pk")), found.valid_from)
    if not lines:
        _decide(found, State.REJECTED, acting_user, "The price list says all of that by now.")
        return found
    proposals.lines_of(found).delete()
    _save_lines(found, lines)
    _tell(found, acting_user, "compared a price list anew", {"lines": len(lines)})
    return found


@transaction.atomic
def approve_proposal(
    *,
    proposal: PriceProposal,
    line_ids: Collection[int],
    confirmed_ids: Collection[int],
    acting_user: User,
    valid_from: datetime | None = None,
    reprices: bool = False,
) -> list[Price]:
    """Put the chosen lines in force from a moment on (now, when none is named); the others stay on record unused.

    A moment in the past takes the re-pricing of the calls since then with it. Raises ProposalDecided, NotYourOwn,
    ProposalStale, ProposalUnconfirmed, PriceInThePast and PriceListMoved.
    """
    found = _held(proposal)
    _refuse_own(found, acting_user)
    now = timezone.now()
    begins = valid_from or now
    lines = [line for line in proposals.lines_of(found).order_by("pk") if line.pk in set(line_ids)]
    _check_lines(found, lines, confirmed_ids, begins)
    _check_start(begins, now, reprices)
    prices = [_price(found, line, begins, acting_user) for line in lines]
    price_entry.enter(found.workspace, prices)
    _close_lines(lines, prices, confirmed_ids)
    if begins < now - LATE:
        _reprice(found, lines, begins, now, acting_user)
    found.valid_from = begins
    after = {
        "lines": len(lines),
        "left_out": proposals.lines_of(found).count() - len(lines),
        "confirmed_alarms": sum(line.alarm for line in lines),
        "valid_from": begins.isoformat(),
        "sha256": canonical.sha256([price_entry.facts(price) for price in prices]),
    }
    _decide(found, State.APPROVED, acting_user, "", after)
    return prices


@transaction.atomic
def reject_proposal(*, proposal: PriceProposal, acting_user: User, reason: str) -> PriceProposal:
    """Turn a proposal down. Raises ProposalDecided, and DomainError without a reason."""
    cleaned = " ".join(text.clean(reason, field="The reason").split())
    if not cleaned or len(cleaned) > 500:
        raise DomainError("Say in up to 500 characters why, for whoever proposed it.")
    found = _held(proposal)
    _decide(found, State.REJECTED, acting_user, cleaned)
    return found


def _propose(
    workspace: Workspace, source: str, begins: datetime, compared: Compared, acting_user: User | None
) -> PriceProposal:
    found = PriceProposal(
        workspace=workspace, source=source, valid_from=begins, note=_note(compared), proposed_by=acting_user
    )
    found.save(force_insert=True)
    _save_lines(found, compared.lines)
    alarms = sum(line.alarm for line in compared.lines)
    _notify(
        [user for user in approvers(workspace) if user != acting_user],
        found,
        f"{len(compared.lines)} new prices wait for approval",
        f"{found.source}. {alarms} of them need a second look." if alarms else found.source,
    )
    _tell(found, acting_user, "proposed a price list", {"lines": len(compared.lines), "alarms": alarms})
    return found


def _save_lines(found: PriceProposal, lines: Sequence[PriceProposalLine]) -> None:
    for line in lines:
        line.proposal = found
    PriceProposalLine.objects.bulk_create(lines)


def _note(compared: Compared) -> str:
    if not compared.left_out:
        return ""
    words = f"Not in this list, though in yours: {'; '.join(compared.left_out)}."
    return words if len(words) <= 500 else f"{words[:499]}…"


def _says(lines: Collection[PriceProposalLine]) -> set[tuple[object, ...]]:
    return {(*price_entry.key_of(line), line.old_price, line.new_price) for line in lines}


def approvers(workspace: Workspace) -> list[User]:
    """Return who may approve prices and can still sign in."""
    members = workspace.memberships.with_right(Right.APPROVE_PRICES).filter(user__is_active=True)
    return [member.user for member in members.by_name()]


def must_be_another(proposal: PriceProposal, user: User) -> bool:
    """Tell whether somebody else has to approve: it is this person's own upload, and somebody else can."""
    if not proposals.is_upload(proposal) or proposal.proposed_by != user:
        return False
    return any(other != user for other in approvers(proposal.workspace))


def _refuse_own(proposal: PriceProposal, user: User) -> None:
    if must_be_another(proposal, user):
        raise NotYourOwn("You uploaded this list, so somebody else who may approve prices has to approve it.")


def _held(proposal: PriceProposal) -> PriceProposal:
    """Return the proposal for this transaction alone; the list is held first, by everyone, so that nobody deadlocks."""
    price_entry.hold(proposal.workspace)
    found = PriceProposal.objects.select_for_update(of=["self"]).select_related("workspace", "proposed_by")
    held = found.get(pk=proposal.pk)
    if held.state != State.OPEN:
        decided = PriceProposal.objects.select_related("decided_by").get(pk=held.pk)
        who = f" by {decided.decided_by}" if decided.decided_by else ""
        raise ProposalDecided(f"This list was {held.state}{who} already.")
    return held


def _check_lines(
    found: PriceProposal, lines: Sequence[PriceProposalLine], confirmed: Collection[int], begins: datetime
) -> None:
    if not lines:
        raise DomainError("Choose at least one price, or reject the list.")
    open_alarms = [line for line in lines if line.alarm and line.pk not in set(confirmed)]
    if open_alarms:
        raise ProposalUnconfirmed(
            f"{len(open_alarms)} of the chosen prices need a second look first: confirm each of them, or leave it out."
        )
    if proposals.is_stale(found.workspace, lines, begins):
        raise ProposalStale(
            "The price list is no longer the one that this was compared with. Compare it anew, then decide."
        )


def _check_start(begins: datetime, now: datetime, reprices: bool) -> None:
    if begins < now - LATE and not reprices:
        raise PriceInThePast(
            "Calls since then are already booked, and keep their cost unless they are priced anew. "
            "Say so, or let the prices begin now."
        )
    if begins > now + FARTHEST:
        raise DomainError("Prices can begin a year from now at the latest.")


def _price(found: PriceProposal, line: PriceProposalLine, begins: datetime, user: User) -> Price:
    terms = {name: getattr(line, name) for name in TERMS}
    return Price(
        workspace=found.workspace,
        unit_price=line.new_price,
        valid_from=begins,
        source=found.source,
        approved_by=user,
        **terms,
    )


def _close_lines(lines: Sequence[PriceProposalLine], prices: Sequence[Price], confirmed: Collection[int]) -> None:
    for line, price in zip(lines, prices, strict=True):
        line.price, line.confirmed = price, line.alarm and line.pk in set(confirmed)
    PriceProposalLine.objects.bulk_update(lines, ["price", "confirmed"])


def _reprice(
    found: PriceProposal, lines: Sequence[PriceProposalLine], begins: datetime, now: datetime, user: User
) -> None:
    """Ask for the calls since then to be priced anew: of each model alone, or of all where there are many."""
    zone = found.workspace.zone
    models = {(line.provider, line.model) for line in lines} & proposals.used_models(found.workspace)
    scopes = sorted(models) if len(models) <= MOST_REPRICINGS else [("", "")]
    for provider, model in scopes:
        repricing.ask(
            workspace=found.workspace,
            first=begins.astimezone(zone).date(),
            last=now.astimezone(zone).date(),
            provider=provider,
            model=model,
            only_unpriced=False,
            reason=f"A price list that begins in the past was approved: {found.source}"[:500],
            acting_user=user,
        )


def _decide(
    found: PriceProposal,
    state: PriceProposal.State,
    user: User | None,
    reason: str,
    after: dict[str, object] | None = None,
) -> None:
    found.state, found.decided_by, found.decided_at, found.reason = state, user, timezone.now(), reason
    found.save(update_fields=["state", "decided_by", "decided_at", "reason", "valid_from"])
    if found.proposed_by and found.proposed_by != user:
        words = f"{user or 'The desk'} {found.get_state_display().lower()} your price list"
        _notify([found.proposed_by], found, words, reason)
    _tell(found, user, f"{found.state} a price list", after, reason)


def _notify(users: Sequence[User], found: PriceProposal, title: str, body: str) -> None:
    url = reverse("proposal", kwargs={"workspace": found.workspace.slug, "proposal_id": found.pk})
    notices.notify(users=users, workspace=found.workspace, kind="prices", title=title, body=body, url=url)


def _tell(
    found: PriceProposal, actor: User | None, verb: str, after: dict[str, object] | None, reason: str = ""
) -> None:
    audit.record(workspace=found.workspace, actor=actor, verb=verb, target=found, after=after, reason=reason)
