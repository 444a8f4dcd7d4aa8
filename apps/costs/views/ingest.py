import json
import zlib
from typing import Any
from uuid import uuid4

from django.contrib import messages
from django.core.cache import cache
from django.core.paginator import Paginator
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.core import csv_safe
from apps.core.errors import DomainError
from apps.core.htmx import HttpRequest, page
from apps.costs import actions
from apps.costs.forms.ingest import MendForm, SheetForm
from apps.costs.ingest import csv_file, rehearsal, status
from apps.costs.ingest.booking import SENT_BY, Became
from apps.costs.ingest.drafts import Sender, source_name
from apps.costs.models import Quarantined

PAGE_SIZE, RETRIED_AT_ONCE, RETRIED = 50, 500, 10_000
KEPT_FOR = 30 * 60


@require_GET
@requires(Right.VIEW_SPEND)
def ingest_status(request: HttpRequest) -> HttpResponse:
    workspace, source = request.workspace, request.GET.get("source", "")[:40]
    reason = request.GET.get("reason", "")[:40]
    today = timezone.now().astimezone(workspace.zone).date()
    wanted = {name: value for name, value in (("source", source), ("reason", reason)) if value}
    waiting = workspace.quarantined.open().filter(**wanted).newest_first()
    figure, rows = status.by_day(workspace, source, today)
    context = {
        "sources": status.sources(workspace, today),
        "reasons": status.reasons(workspace, source),
        "page_obj": Paginator(waiting, PAGE_SIZE).get_page(request.GET.get("page")),
        "figure": figure,
        "columns": status.COLUMNS,
        "rows": rows,
        "source": source,
        "reason": reason,
        "days": status.DAYS,
        "may_mend": request.membership.may(Right.APPROVE_PRICES),
    }
    return page(request, "costs/ingest_status.html", context)


@require_http_methods(["GET", "POST"])
@requires(Right.APPROVE_PRICES)
def ingest_mend(request: HttpRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(request.workspace.quarantined.select_related("decided_by"), pk=pk)
    alike = status.alike(row).count()
    form = MendForm(request.POST or None, row=row, zone=request.workspace.zone, alike=alike)
    if request.method == "POST" and form.is_valid():
        try:
            booked = actions.mend_quarantined(
                workspace=request.workspace,
                quarantined_id=row.pk,
                changes=form.changes(),
                acting_user=request.user,
                alike=form.cleaned_data.get("alike", False),
            )
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            messages.success(request, _booked_words(booked, alike + 1 - booked))
            return redirect("ingest_status", workspace=request.workspace.slug)
    sent = {name: value for name, value in row.payload.items() if name != SENT_BY}
    others = status.same_fault(row).count()
    context = {
        "row": row,
        "form": form,
        "others": others,
        "dismiss_alike": f"Dismiss all {others + 1:,} alike",
        "alike": {"alike": "yes"},
        "sent": json.dumps(sent, indent=2, sort_keys=True, ensure_ascii=False),
        "is_open": row.state == Quarantined.State.OPEN,
    }
    return page(request, "costs/ingest_mend.html", context, status=422 if form.errors else 200)


def _booked_words(booked: int, waiting: int = 0) -> str:
    words = f"{booked:,} {'charge is' if booked == 1 else 'charges are'} in the books."
    return f"{words} {waiting:,} alike still {'waits' if waiting == 1 else 'wait'}." if waiting > 0 else words


@require_POST
@requires(Right.APPROVE_PRICES)
def ingest_dismiss(request: HttpRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(request.workspace.quarantined.all(), pk=pk)
    count = actions.dismiss_quarantined(
        workspace=request.workspace,
        quarantined_id=row.pk,
        reason=request.POST.get("reason", ""),
        acting_user=request.user,
        alike=request.POST.get("alike") == "yes",
    )
    messages.success(request, f"{count:,} {'charge stays' if count == 1 else 'charges stay'} out of the books.")
    return redirect("ingest_status", workspace=request.workspace.slug)


@require_POST
@requires(Right.APPROVE_PRICES)
def ingest_retry(request: HttpRequest) -> HttpResponse:
    wanted = {name: value for name in ("source", "reason") if (value := request.POST.get(name, "")[:40])}
    rows = request.workspace.quarantined.open().filter(**wanted).order_by("pk")
    ids = list(rows.values_list("pk", flat=True)[:RETRIED])
    booked = 0
    for first in range(0, len(ids), RETRIED_AT_ONCE):
        batch = ids[first : first + RETRIED_AT_ONCE]
        booked += actions.retry_quarantined(workspace=request.workspace, ids=batch, acting_user=request.user)
    say = messages.success if booked else messages.info
    say(request, f"Of {len(ids):,} tried again, {booked:,} are in the books now.")
    return redirect("ingest_status", workspace=request.workspace.slug)


@require_http_methods(["GET", "POST"])
@requires(Right.APPROVE_PRICES)
def ingest_sheet(request: HttpRequest) -> HttpResponse:
    form = SheetForm(request.POST or None, request.FILES or None)
    context: dict[str, Any] = {"form": form}
    if request.method == "POST" and form.is_valid():
        try:
            context |= _rehearsed(request, form)
        except DomainError as error:
            form.add_error("file", error.message)
    return page(request, "costs/ingest_sheet.html", context, status=422 if form.errors else 200)


def _rehearsed(request: HttpRequest, form: SheetForm) -> dict[str, Any]:
    """Read the sheet and keep what could be booked for as long as somebody looks at it."""
    source = source_name(form.cleaned_data["source"])
    upload = form.cleaned_data["file"]
    sheet = csv_file.read(upload.read(csv_file.LONGEST + 1), request.workspace.zone)
    found = rehearsal.rehearse(Sender(request.workspace.pk, source), sheet, timezone.now())
    token = uuid4().hex
    kept = zlib.compress(json.dumps({"source": source, "items": found.items}).encode())
    cache.set(_place(request, token), kept, KEPT_FOR)
    return {"found": found, "sheet": sheet, "source": source, "token": token, "name": upload.name}


def _place(request: HttpRequest, token: str) -> str:
    return f"ingest-sheet:{request.workspace.pk}:{request.user.pk}:{token[:32]}"


@require_POST
@requires(Right.APPROVE_PRICES)
def ingest_book(request: HttpRequest) -> HttpResponse:
    place = _place(request, request.POST.get("token", ""))
    kept = cache.get(place)
    if kept is None:
        raise DomainError("That sheet is no longer at hand. Choose the file again; nothing is booked twice.")
    sheet = json.loads(zlib.decompress(kept))
    outcomes = actions.book_sheet(
        workspace=request.workspace, source=sheet["source"], items=sheet["items"], acting_user=request.user
    )
    cache.delete_many([place])
    booked = sum(outcome.became is Became.ACCEPTED for outcome in outcomes)
    messages.success(request, _booked_words(booked))
    return redirect("ingest_status", workspace=request.workspace.slug)


@require_GET
@requires(Right.VIEW_SPEND)
def ingest_template(request: HttpRequest) -> StreamingHttpResponse:
    response = StreamingHttpResponse(csv_safe.stream(csv_file.TEMPLATE), content_type="text/csv")
    response["Content-Disposition"] = 'attachment; filename="charges-template.csv"'
    return response
