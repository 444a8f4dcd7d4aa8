from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.core import text
from apps.core.errors import DomainError
from apps.core.htmx import HttpRequest, page
from apps.costs import actions, proposal_lines
from apps.costs.forms import ApprovalForm, UploadForm
from apps.costs.forms.prices import in_zone
from apps.costs.models import PriceProposal

PAGE_SIZE = 25


@require_GET
@requires(Right.VIEW_SPEND)
def proposal_list(request: HttpRequest) -> HttpResponse:
    rows = proposal_lines.listed(request.workspace)
    context = {
        "page_obj": Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page")),
        "without_price": proposal_lines.without_price(request.workspace, timezone.now()),
        "may_price": request.membership.may(Right.APPROVE_PRICES),
    }
    return page(request, "costs/proposal_list.html", context)


@require_POST
@requires(Right.APPROVE_PRICES)
def proposal_look(request: HttpRequest) -> HttpResponse:
    try:
        found = actions.propose_public_prices(workspace=request.workspace, acting_user=request.user)
    except actions.NothingNew as news:
        messages.info(request, news.message)
        return redirect("proposal_list", workspace=request.workspace.slug)
    return _to(request, found)


@require_http_methods(["GET", "POST"])
@requires(Right.APPROVE_PRICES)
def proposal_upload(request: HttpRequest) -> HttpResponse:
    form = UploadForm(request.POST, request.FILES) if request.method == "POST" else UploadForm()
    if request.method == "POST" and form.is_valid():
        try:
            found = actions.propose_price_list(
                workspace=request.workspace,
                name=form.name,
                content=form.cleaned_data["content"],
                valid_from=in_zone(form.cleaned_data["valid_from"], request.workspace.zone),
                acting_user=request.user,
            )
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            return _to(request, found)
    return page(request, "costs/proposal_upload.html", {"form": form}, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@requires(Right.VIEW_SPEND)
def proposal(request: HttpRequest, proposal_id: int) -> HttpResponse:
    found = _proposal(request, proposal_id)
    if request.method == "POST":
        return proposal_approve(request, found)
    return _show(request, found, ApprovalForm(initial=_start(found, request)), set(), None)


def proposal_approve(request: HttpRequest, found: PriceProposal) -> HttpResponse:
    """Approve the lines that were ticked, or show what is in the way beside them."""
    if not request.membership.may(Right.APPROVE_PRICES):
        raise actions.NotYourOwn("Approving prices takes the right to approve prices.")
    form = ApprovalForm(request.POST)
    chosen, confirmed = _ids(request, "line"), _ids(request, "confirm")
    if form.is_valid():
        try:
            prices = actions.approve_proposal(
                proposal=found,
                line_ids=chosen,
                confirmed_ids=confirmed,
                valid_from=in_zone(form.cleaned_data["valid_from"], request.workspace.zone),
                reprices=form.cleaned_data["reprices"],
                acting_user=request.user,
            )
        except actions.ProposalDecided as error:
            messages.error(request, error.message)
            return _to(request, found)
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            words = "price is" if len(prices) == 1 else "prices are"
            messages.success(request, f"{len(prices)} {words} in the list.")
            return _to(request, found)
    return _show(request, found, form, confirmed, chosen)


@require_POST
@requires(Right.APPROVE_PRICES)
def proposal_reject(request: HttpRequest, proposal_id: int) -> HttpResponse:
    found = _proposal(request, proposal_id)
    return _decided(
        request,
        found,
        lambda: actions.reject_proposal(
            proposal=found, acting_user=request.user, reason=request.POST.get("reason", "")
        ),
    )


@require_POST
@requires(Right.APPROVE_PRICES)
def proposal_renew(request: HttpRequest, proposal_id: int) -> HttpResponse:
    found, form = _proposal(request, proposal_id), ApprovalForm(request.POST)
    begins = in_zone(form.cleaned_data["valid_from"], request.workspace.zone) if form.is_valid() else None
    return _decided(
        request,
        found,
        lambda: actions.compare_proposal_anew(proposal=found, acting_user=request.user, valid_from=begins),
    )


def _decided(request: HttpRequest, found: PriceProposal, act: Any) -> HttpResponse:
    try:
        act()
    except DomainError as error:
        messages.error(request, error.message)
    return _to(request, found)


def _proposal(request: HttpRequest, proposal_id: int) -> PriceProposal:
    rows = request.workspace.price_proposals.select_related("proposed_by", "decided_by", "workspace")
    return get_object_or_404(rows, pk=proposal_id)


def _to(request: HttpRequest, found: PriceProposal) -> HttpResponse:
    return redirect("proposal", workspace=request.workspace.slug, proposal_id=found.pk)


def _start(found: PriceProposal, request: HttpRequest) -> dict[str, Any]:
    """Suggest the proposal's own start while it lies ahead; else it begins when it is approved."""
    local = found.valid_from.astimezone(request.workspace.zone)
    return {"valid_from": local.replace(tzinfo=None)} if found.valid_from > timezone.now() else {}


def _ids(request: HttpRequest, name: str) -> set[int]:
    return {found for value in request.POST.getlist(name) if (found := text.whole_number(value)) is not None}


def _show(
    request: HttpRequest, found: PriceProposal, form: ApprovalForm, confirmed: set[int], chosen: set[int] | None
) -> HttpResponse:
    lines = proposal_lines.lines_of(found, confirmed, chosen)
    context = {
        "proposal": found,
        "groups": proposal_lines.grouped(lines),
        "count": len(lines),
        "alarms": sum(line.row.alarm for line in lines),
        "taken": sum(line.row.price_id is not None for line in lines),
        "is_stale": found.state == "open" and proposal_lines.is_stale(found, lines, timezone.now()),
        "form": form,
        "may_decide": found.state == "open" and request.membership.may(Right.APPROVE_PRICES),
        "must_be_another": actions.must_be_another(found, request.user),
    }
    return page(request, "costs/proposal.html", context, status=422 if form.errors else 200)
