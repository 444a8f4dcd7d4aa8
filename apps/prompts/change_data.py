"""Change requests as programs read them: names, numbers and what is missing, nothing of any text."""

from collections.abc import Callable
from typing import Any

from apps.accounts.models import Workspace
from apps.prompts import boards
from apps.prompts.evidence import CheckStanding
from apps.prompts.links import change_request_url
from apps.prompts.models import ChangeRequest, Deployment
from apps.prompts.policy import Standing


def of_requests(
    workspace: Workspace, requests: list[ChangeRequest], absolute: Callable[[str], str]
) -> list[dict[str, Any]]:
    """Return each request as data, in as many queries as for one."""
    standings = boards.standings_of(workspace, requests)
    rows = Deployment.objects.filter(change_request__in=requests, emergency=True)
    urgent = set(rows.values_list("change_request_id", flat=True))
    return [
        {
            **_of(request, standing),
            "emergency": request.pk in urgent,
            "url": absolute(change_request_url(request)),
        }
        for request, standing in zip(requests, standings, strict=True)
    ]


def _of(request: ChangeRequest, standing: Standing) -> dict[str, Any]:
    waits = request.is_waiting
    return {
        "number": request.number,
        "title": request.title,
        "state": request.state,
        "environment": request.environment.name,
        "author": str(request.author),
        "created_at": request.created_at,
        "closed_at": request.closed_at,
        "content_hash": standing.content_hash,
        "items": [
            {
                "prompt": item.prompt.name,
                "version": item.version.number,
                "content_hash": item.version.content_hash,
                "replaces": item.base.version.number if item.base else None,
            }
            for item in request.items.all()
        ],
        "checks": [_check(one) for one in standing.checks],
        "approvals": len(standing.approvals),
        "approvals_needed": standing.approvals_needed,
        "missing": standing.blockers if waits else [],
        "holds": standing.holds,
    }


def _check(one: CheckStanding) -> dict[str, Any]:
    check = one.check
    return {
        "name": one.name,
        "required": one.required,
        "status": check.status if check else "missing",
        "summary": check.summary if check else "",
        "url": check.url if check else "",
        "problem": one.problem,
        "accepted_by": str(one.accepted.accepted_by) if one.accepted else None,
        "reported_at": check.reported_at if check else None,
    }
