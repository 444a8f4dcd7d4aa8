"""The dossier: what was known when something went live, frozen with its hash."""

from datetime import datetime
from typing import Any

from apps.accounts import audit
from apps.accounts.audit import Actor
from apps.core import canonical
from apps.costs import spend
from apps.costs.models import Purpose
from apps.prompts import blast, diffs, exceptions, policy_words, spend_forecast
from apps.prompts.blast import Radius
from apps.prompts.models import ChangeRequest, ChangeRequestItem, Comment
from apps.prompts.policy import Standing


def compose(request: ChangeRequest, standing: Standing, *, promoted_by: Actor, now: datetime) -> dict[str, Any]:
    """Collect diff, blast radius, checks with evidence, forecast, decisions and discussion as they stand now.

    JSON values only; `counted` says what the policy counted when this was let in.
    """
    counted = {one.pk for one in (*standing.approvals, *standing.objections)}
    forecast = spend_forecast.of_request(request, now)
    return {
        "number": request.number,
        "title": request.title,
        "why": request.why,
        "environment": request.environment.name,
        "policy": request.environment.policy,
        "policy_sentence": policy_words.sentence_of(request.environment),
        "author": str(request.author),
        "author_key": str(request.author_key) if request.author_key else None,
        "opened_at": request.created_at.isoformat(),
        "promoted_by": audit.name_of(promoted_by),
        "promoted_at": now.isoformat(),
        "scheduled_for": request.scheduled_at.isoformat() if request.scheduled_at else None,
        "asked": sorted(str(asked.user) for asked in request.asked.all()),
        "content_hash": standing.content_hash,
        "items": [
            _item(item)
            for item in request.items.select_related(
                "prompt", "version", "chosen_by", "change_request__environment"
            ).order_by("prompt_id")
        ],
        "checks": [
            {
                "name": check.name,
                "required": check.required,
                "status": check.check.status if check.check else "missing",
                "summary": check.check.summary if check.check else "",
                "reported_at": check.check.reported_at.isoformat() if check.check else None,
                "reported_by": str(check.check.reported_by) if check.check and check.check.reported_by else None,
                "url": check.check.url if check.check else "",
                "evidence": check.check.evidence if check.check else {},
            }
            for check in standing.checks
        ],
        "decisions": [
            {
                "reviewer": str(approval.reviewer),
                "decision": approval.decision,
                "comment": approval.comment,
                "content_hash": approval.content_hash,
                "counted": approval.pk in counted,
                "at": approval.at.isoformat(),
            }
            for approval in request.approvals.select_related("reviewer").order_by("id")
        ],
        "discussion": [_remark(comment) for comment in request.comments.loaded()],
        "forecast": {"summary": forecast.summary, **forecast.evidence()},
        **exceptions.of(request, standing),
    }


def _remark(comment: Comment) -> dict[str, Any]:
    return {
        "id": comment.pk,
        "author": str(comment.author),
        "text": comment.text,
        "at": comment.at.isoformat(),
        "answers": comment.reply_to_id,
        "prompt": comment.prompt.name if comment.prompt else None,
        "version": comment.version_number,
        "message": comment.message,
        "quote": comment.quote,
        "resolved_by": str(comment.resolved_by) if comment.resolved_by else None,
    }


def _radius(found: Radius) -> dict[str, Any]:
    """Tell whose text changed with it, and where that is live."""
    return {
        "sentence": found.sentence if found.hits else "",
        "prompts": [
            {
                "prompt": hit.parent.version.prompt.name,
                "version": hit.parent.version.number,
                "environments": hit.parent.pointers.environments,
                "labels": hit.parent.pointers.labels,
                "calls_last_week": hit.calls,
            }
            for hit in found.hits
        ],
    }


def _item(item: ChangeRequestItem) -> dict[str, Any]:
    before = item.base.version if item.base else None
    place = item.change_request.environment
    diff = diffs.between(before, item.version)
    spent = spend.by_version(item.prompt.workspace_id, item.prompt_id, Purpose.PRODUCTION)
    tested = spend.by_version(item.prompt.workspace_id, item.prompt_id, Purpose.EVALUATION)
    return {
        "prompt": item.prompt.name,
        "before": before.number if before else None,
        "after": item.version.number,
        "content_hash": item.version.content_hash,
        "summary": diff.sentence,
        "chosen_by": str(item.chosen_by) if item.chosen_by else None,
        "taken_in_by": _radius(blast.of(item.prompt, place)),
        "messages": [[message.role, message.status, message.pieces] for message in diff.messages],
        "content": {"before": before.content() if before else None, "after": item.version.content()},
        "settings": [[name, old, new] for name, old, new in diff.rows],
        "spend": [
            {
                "traffic": purpose.label,
                "before": _spend(found.get(before.pk)) if before else None,
                "after": _spend(found.get(item.version_id)),
            }
            for purpose, found in ((Purpose.PRODUCTION, spent), (Purpose.EVALUATION, tested))
        ],
    }


def _spend(found: spend.VersionSpend | None) -> dict[str, Any] | None:
    """Spell what a version has cost and how long it takes, in whole digits: US dollars and milliseconds per call."""
    if found is None:
        return None
    return {
        "calls": found.calls,
        "cost": str(found.cost),
        "cost_per_call": str(round(found.cost_per_call, 12)) if found.cost_per_call is not None else None,
        "latency_ms": round(found.average_latency_ms) if found.average_latency_ms is not None else None,
    }


def digest(body: dict[str, Any]) -> str:
    return canonical.sha256(body)
