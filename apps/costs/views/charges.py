from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_GET

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.core.htmx import HttpRequest, page
from apps.costs import books, chains, choices, exports, pricing, spend
from apps.costs.filters import FLAG_LABELS, MOST_ADDED, ChargeFilter
from apps.costs.models import Charge

PAGE_SIZE = 50


@require_GET
@requires(Right.VIEW_SPEND)
def spend_charges(request: HttpRequest) -> HttpResponse:
    wanted = _filter(request)
    context: dict[str, Any] = {"form": wanted, "recount": books.last(request.workspace), "flags": FLAG_LABELS.items()}
    if not wanted.is_valid():
        return page(request, "costs/spend_charges.html", context, status=422)
    days = wanted.within(request.workspace)
    charges = wanted.charges(request.workspace, days).newest_first()
    if before := request.GET.get("before"):
        charges = charges.older_than(_charge_id(before))
    rows = list(charges[: PAGE_SIZE + 1])
    total = wanted.total(request.workspace, days)
    # Corrections take calls away and add them, so that their number is not that of their calls.
    if total and "corrections" in wanted.flags:
        context["correction_rows"] = wanted.charges(request.workspace, days).count()
    context |= _conditions(request, wanted) | {
        "rows": rows[:PAGE_SIZE],
        "chains": chains.of_rows(request.workspace.pk, rows[:PAGE_SIZE]),
        "older": rows[PAGE_SIZE - 1].pk if len(rows) > PAGE_SIZE else None,
        "is_first": not before,
        "total": total,
        "most_added": MOST_ADDED,
        "query": wanted.query(),
    }
    return page(request, "costs/spend_charges.html", context)


def _conditions(request: HttpRequest, wanted: ChargeFilter) -> dict[str, Any]:
    """Return each condition as label, words and the query string without it; and the menus to change them."""
    workspace_id, asked = request.workspace.pk, wanted.cleaned_data
    found = spend.name_conditions(workspace_id, wanted.chosen)
    shown = [(label, words, wanted.query(without=column)) for column, label, words in found]
    shown += [("Only", words, wanted.query(without=flag)) for flag, words in wanted.flag_words]
    words = {column: text for column, _, text in found}
    menus = choices.menus(workspace_id, asked["first"], asked["last"], wanted.chosen, words)
    return {"conditions": shown, "menus": menus}


def _filter(request: HttpRequest) -> ChargeFilter:
    """Read the filter; without any days it is the present month."""
    today = timezone.now().astimezone(request.workspace.zone).date()
    data = request.GET.copy()
    data.setdefault("first", today.replace(day=1).isoformat())
    data.setdefault("last", today.isoformat())
    return ChargeFilter(data)


def _charge_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Http404 from None


@require_GET
@requires(Right.VIEW_SPEND)
def spend_charge(request: HttpRequest, pk: UUID) -> HttpResponse:
    charge = get_object_or_404(Charge, pk=pk, workspace_id=request.workspace.pk)
    context = {
        "charge": charge,
        "chain": chains.of_rows(request.workspace.pk, [charge]).get(pk),
        "reason": chains.reason_of(charge) if charge.corrects else "",
        "amounts": chains.amounts(charge),
        "is_unpriced": charge.unpriced and charge.calls == 1,
        "missing": pricing.missing(charge) if charge.unpriced and charge.calls == 1 else "",
        "may_view_trace": request.membership.may(Right.VIEW),
    }
    return page(request, "costs/spend_charge.html", context)


@require_GET
@requires(Right.VIEW_SPEND)
def spend_charges_csv(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    wanted = _filter(request)
    if not wanted.is_valid():
        return page(request, "costs/spend_charges.html", {"form": wanted, "flags": FLAG_LABELS.items()}, status=422)
    charges = wanted.charges(request.workspace, wanted.within(request.workspace)).newest_first()
    days = wanted.cleaned_data
    name = f"charges-{request.workspace.slug}-{days['first']}-{days['last']}.csv"
    return exports.answer(exports.lines(charges.iterator(chunk_size=2_000)), name)
