"""Checks that come from outside by key, and failures that a named person lets pass."""

import re
from typing import Any
from urllib.parse import urlsplit

from django.db import IntegrityError, transaction

from apps.accounts import audit
from apps.accounts.models import ApiKey, User
from apps.core import canonical, text
from apps.core.errors import Conflict, DomainError, NotAllowed
from apps.notices import actions as notices
from apps.prompts import policy, rules
from apps.prompts.actions import gate, steps
from apps.prompts.actions.reviewing import report_check
from apps.prompts.links import change_request_url
from apps.prompts.models import AcceptedFailure, ChangeRequest, Check

NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")
EVIDENCE_LIMIT = 16_000
DEEPEST = 8
MOST_CHECKS = 40


@transaction.atomic
def report_external_check(  # noqa: PLR0913  a report's own fields
    *,
    change_request: ChangeRequest,
    name: str,
    status: str,
    summary: str,
    content_hash: str,
    evidence: dict[str, Any] | None = None,
    url: str = "",
    acting_key: ApiKey,
) -> Check:
    """Take what a program outside found about exactly this content.

    Raises NotAllowed for names that the desk or another key reports and for the key that asked for the change, Conflict when the request asks for something else by now
    or is closed, and DomainError for what cannot be kept.
    """
    if not NAME.fullmatch(name):
        raise DomainError("A check's name has letters, digits, - and _, at most 40.")
    if name.lower() in rules.BUILT_IN:
        raise NotAllowed(f"The check {name} is reported by the desk itself, never from outside.")
    request = ChangeRequest.objects.select_for_update(of=("self",), no_key=True).get(pk=change_request.pk)
    steps.require_waiting(request)
    if content_hash != policy.content_hash(request):
        raise Conflict("The request asks for something else by now. Fetch it again and look at that.")
    if request.author_key_id == acting_key.pk:
        raise NotAllowed("This key asked for the change. What it has to prove is reported by another key.")
    before = request.checks.filter(name=name).select_related("reported_by").first()
    if before and (owner := before.reported_by) and owner.pk != acting_key.pk and not owner.revoked_at:
        raise NotAllowed(f"The check {name} is reported by the key {owner}. A check has one reporter.")
    others = request.checks.exclude(name=name)
    if others.count() >= MOST_CHECKS:
        raise DomainError(f"A request has at most {MOST_CHECKS} checks.")
    check = report_check(
        change_request=request,
        name=name,
        status=status,
        summary=_one_line(summary),
        evidence=clean_evidence(evidence),
        url=clean_url(url),
        content_hash=content_hash,
        actor=acting_key,
    )
    assert check is not None  # noqa: S101  the request is locked and waits
    return check


def _one_line(summary: str) -> str:
    line = " ".join(text.clean(summary, field="The summary", max_bytes=2_000).split())
    if not line or len(line) > 500:
        raise DomainError("The summary is one line of 1 to 500 characters.")
    return line


def clean_url(url: str) -> str:
    """Return an address that a page may link to: http or https, with a host, without a password."""
    url = text.clean(url, field="The address", max_bytes=1_200).strip()
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        hostname = parts.hostname
    except ValueError:
        hostname = None
    wrong = hostname is None or parts.scheme not in {"http", "https"} or parts.username or parts.password
    if wrong or len(url) > 300 or not url.isprintable() or " " in url:
        raise DomainError(
            "The address must begin with http:// or https://, at most 300 characters, without a password."
        )
    return url


def clean_evidence(evidence: dict[str, Any] | None) -> dict[str, Any]:
    """Return evidence that is small enough to keep: an object of at most 16 kB. `n` says how many cases were looked at."""
    found: dict[str, Any] = evidence or {}
    if not isinstance(found, dict) or _depth(found) > DEEPEST:
        raise DomainError(f"The evidence is a JSON object, nested at most {DEEPEST} deep.")
    found = text.clean_tree(found, field="The evidence", max_bytes=EVIDENCE_LIMIT)
    if len(canonical.dumps(found).encode()) > EVIDENCE_LIMIT:
        raise DomainError(f"The evidence is larger than {EVIDENCE_LIMIT // 1000} kB. Keep it where `url` leads.")
    n = found.get("n", 0)
    if isinstance(n, bool) or not isinstance(n, int) or n < 0:
        raise DomainError("In the evidence, n is how many cases were looked at: a whole number.")
    return found


def _depth(value: Any) -> int:
    """Return how deep JSON is nested, no deeper than is asked for."""
    level, deep = [value], 0
    while level and deep <= DEEPEST:
        parts = [one for one in level if isinstance(one, dict | list)]
        level = [child for part in parts for child in (part.values() if isinstance(part, dict) else part)]
        deep += bool(parts)
    return deep


@transaction.atomic
def accept_failure(
    *, change_request: ChangeRequest, name: str, report_hash: str, reason: str, acting_user: User
) -> AcceptedFailure:
    """Let one report of a failed check pass, for a reason: it holds for this content and this report alone.

    It takes somebody who may promote there and who neither asked nor wrote. Raises NotAllowed for others, Conflict when
    the report is not the one that they saw, and DomainError for what is no listed failure or has no reason.
    """
    request = gate.locked(change_request)
    steps.require_waiting(request)
    gate.require_promotion(request.environment, acting_user)
    if acting_user.pk in request.author_ids:
        raise NotAllowed("You wrote or asked for this. Somebody else has to let its failures pass.")
    reason = text.clean(reason, field="The reason", max_bytes=4_000).strip()
    if not reason:
        raise DomainError("Say why it may go live although this failed: it stands in the dossier.")
    standing = gate.standing_of(request)
    failed = next((one for one in standing.checks if one.name == name and one.may_be_accepted), None)
    if failed is None or failed.check is None:
        raise DomainError("Only a check that was reported and failed can be let pass. What is missing has to run.")
    if failed.check.report_hash != report_hash:
        raise Conflict("The check was reported anew while you read. Look at it again.")
    accepted = _accept(request, failed.check, standing.content_hash, reason, acting_user)
    steps.settle(request, by=acting_user)
    notices.notify(
        users=[request.author],
        workspace=request.workspace,
        kind="failure_accepted",
        title=f"{acting_user} let {rules.spoken_check(name)} pass: {request.title}",
        url=change_request_url(request),
    )
    after = {"accepted": name, "content_hash": accepted.content_hash, "report_hash": report_hash}
    audit.record(
        workspace=request.workspace,
        actor=acting_user,
        verb="accepted a failure of",
        target=request,
        after=after,
        reason=reason,
    )
    return accepted


def _accept(request: ChangeRequest, check: Check, content_hash: str, reason: str, user: User) -> AcceptedFailure:
    try:
        with transaction.atomic():
            return AcceptedFailure.objects.create(
                change_request=request,
                check_name=check.name,
                content_hash=content_hash,
                report_hash=check.report_hash,
                summary=check.summary,
                accepted_by=user,
                reason=reason,
            )
    except IntegrityError:
        raise Conflict("Somebody has let this failure pass already.") from None
