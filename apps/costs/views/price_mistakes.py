from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_POST

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.core.errors import DomainError
from apps.core.htmx import HttpRequest, page
from apps.costs import actions, connection_names, price_lines, price_units
from apps.costs.forms.price_mistakes import CorrectionForm
from apps.costs.models import Price, Repricing

WITHDRAW = (
    "For its time what held before goes on; where nothing did, calls stay without a price. It stays in the history, and "
    "calls since then are priced anew."
)


@require_http_methods(["GET", "POST"])
@requires(Right.APPROVE_PRICES)
def price_correct(request: HttpRequest, price_id: int) -> HttpResponse:
    price = _price(request, price_id)
    form = CorrectionForm(request.POST or None, price=price)
    if request.method == "POST" and form.is_valid():
        try:
            _, repricing = actions.correct_price(
                price=price,
                unit_price=form.unit_price,
                reason=form.cleaned_data["reason"],
                is_meant=form.cleaned_data["is_meant"],
                acting_user=request.user,
            )
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            messages.success(request, f"The price of {price.model} is corrected.")
            return _onwards(request, price, repricing)
    names = connection_names.names(request.workspace.pk)
    asked = {"provider": price.provider, "model": price.model}
    context = {
        "price": price,
        "form": form,
        "here": request.path,
        "history_url": price_lines.address(request.workspace, price),
        "new_url": f"{reverse('price_new', kwargs={'workspace': request.workspace.slug})}?{urlencode(asked)}",
        "words": price_units.terms_words(price, names.get(price.connection_id or 0, "")),
        "amount": price_units.shown(price.meter, price.unit_price),
        "unit": price_units.unit_words(price.meter),
        "withdraw_words": WITHDRAW,
    }
    return page(request, "costs/price_correct.html", context, status=422 if form.errors else 200)


@require_POST
@requires(Right.APPROVE_PRICES)
def price_withdraw(request: HttpRequest, price_id: int) -> HttpResponse:
    price = _price(request, price_id)
    _, repricing = actions.withdraw_price(price=price, reason=request.POST.get("reason", ""), acting_user=request.user)
    messages.success(request, f"The price of {price.model} is withdrawn.")
    return _onwards(request, price, repricing)


def _price(request: HttpRequest, price_id: int) -> Price:
    rows = request.workspace.prices.standing().select_related("workspace", "approved_by")
    return get_object_or_404(rows, pk=price_id)


def _onwards(request: HttpRequest, price: Price, repricing: Repricing | None) -> HttpResponse:
    if repricing:
        return redirect("repricing", workspace=request.workspace.slug, repricing_id=repricing.pk)
    return redirect(price_lines.address(request.workspace, price))
