import json
from collections.abc import Iterator
from itertools import chain
from typing import Any

from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_POST, require_safe

from apps.accounts import audit, deeds
from apps.accounts.access import requires
from apps.accounts.forms import AuditFilterForm
from apps.accounts.models.audit import AuditEvent, AuditEventQuerySet
from apps.accounts.rights import Right
from apps.accounts.views.frame import settings_page
from apps.core import csv_safe, formats
from apps.core.htmx import HttpRequest, page

PAGE = 50
CHUNK = 1000
COLUMNS = ("number", "at", "actor", "verb", "target_type", "target_id", "target", "before", "after", "reason", "hash")


@require_safe
@requires(Right.ADMIN)
def audit_list(request: HttpRequest) -> HttpResponse:
    actors, verbs = request.workspace.audit_events.recent_actors_and_verbs()
    members = {str(member.user) for member in request.workspace.memberships.by_name()}
    form = AuditFilterForm(request.GET or None, people=actors | members, verbs=verbs)
    events = list(_matching(request, form).before(_cursor(request)).newest_first()[: PAGE + 1])
    kept = {name: value for name, value in request.GET.items() if name != "before" and value}
    context = {
        "form": form,
        "events": [(event, deeds.told(event)) for event in events[:PAGE]],
        "next": events[PAGE - 1].number if len(events) > PAGE else None,
        "kept": kept,
        "is_filtered": bool(kept),
    }
    return settings_page(request, "accounts/audit_list.html", context, here="audit_list", fragment="events")


@require_safe
@requires(Right.ADMIN)
def audit_event(request: HttpRequest, number: int) -> HttpResponse:
    event = get_object_or_404(request.workspace.audit_events, number=number)
    others = request.workspace.audit_events.about(event).newest_first()[:20]
    context = {
        "event": event,
        "deed": deeds.told(event),
        "changes": changes(event),
        "holds": event.computed_hash() == event.hash,
        "others": [(other, deeds.told(other)) for other in others],
    }
    return settings_page(request, "accounts/audit_event.html", context, here="audit_list")


@require_POST
@requires(Right.ADMIN)
def audit_verify(request: HttpRequest) -> HttpResponse:
    """Walk the whole chain now and say whether it holds."""
    context = {"proof": audit.verify(request.workspace)}
    if request.htmx:
        return page(request, "accounts/audit_verify.html", context, fragment="proof")
    return settings_page(request, "accounts/audit_verify.html", context, here="audit_list")


@require_safe
@requires(Right.ADMIN)
def audit_export(request: HttpRequest, kind: str) -> HttpResponseBase:
    writers = {"csv": (_csv_lines, "text/csv; charset=utf-8"), "jsonl": (_json_lines, "application/jsonl")}
    if kind not in writers:
        raise Http404
    lines, content_type = writers[kind]
    rows = _oldest_first(_matching(request, AuditFilterForm(request.GET or None)))
    response = StreamingHttpResponse(lines(rows), content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="{request.workspace.slug}-audit.{kind}"'
    return response


def changes(event: AuditEvent) -> list[tuple[str, str, str]]:
    """Return what the event tells of each field, in words: its name, before and after."""
    before, after = event.before or {}, event.after or {}
    names = list(dict.fromkeys([*before, *after]))
    return [(name, _words(before.get(name)), _words(after.get(name))) for name in names]


def _words(value: Any) -> str:
    if value is None or value == [] or value == "":
        return formats.NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _matching(request: HttpRequest, form: AuditFilterForm) -> AuditEventQuerySet:
    return request.workspace.audit_events.matching(**form.terms(request.workspace.zone))


def _cursor(request: HttpRequest) -> int | None:
    value = request.GET.get("before", "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else None


def _oldest_first(events: AuditEventQuerySet) -> Iterator[AuditEvent]:
    """Read in short queries, so that a slow download holds no cursor open."""
    last = 0
    while chunk := list(events.filter(number__gt=last).order_by("number")[:CHUNK]):
        yield from chunk
        last = chunk[-1].number


def _row(event: AuditEvent) -> dict[str, Any]:
    return {
        "number": event.number,
        "at": event.at.isoformat(),
        "actor": event.actor_name,
        "verb": event.verb,
        "target_type": event.target_type,
        "target_id": event.target_id,
        "target": event.target_name,
        "before": event.before,
        "after": event.after,
        "reason": event.reason,
        "hash": event.hash,
    }


def _json_lines(events: Iterator[AuditEvent]) -> Iterator[str]:
    for event in events:
        yield json.dumps({**_row(event), "prev_hash": event.prev_hash}, ensure_ascii=False) + "\n"


def _csv_lines(events: Iterator[AuditEvent]) -> Iterator[str]:
    return csv_safe.stream(chain([COLUMNS], (_row(event).values() for event in events)))
