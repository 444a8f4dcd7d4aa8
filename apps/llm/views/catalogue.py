"""Pages of the catalogue: every model that can be called, and one model with its facts, prices and history."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.core.errors import DomainError
from apps.core.htmx import HttpRequest, page
from apps.llm import actions, catalogue, histories, known_facts, lanes
from apps.llm.forms import FactsForm, ModelForm
from apps.llm.models import Model
from apps.llm.views.connections import connection_of, details_of, to_connection
from apps.llm.views.spans import spans_of

SEEN = (Right.VIEW, Right.VIEW_SPEND)
PRICES = (Right.VIEW_SPEND, Right.APPROVE_PRICES)


@require_safe
@requires(*SEEN)
def model_list(request: HttpRequest) -> HttpResponse:
    """Show the catalogue."""
    query = request.GET.get("q", "").strip()
    entries = catalogue.entries_of(request.workspace, timezone.now())
    context = {
        "entries": catalogue.matching(entries, query),
        "known": len(entries),
        "query": query,
        "is_admin": request.membership.may(Right.ADMIN),
    }
    return page(request, "llm/model_list.html", context, fragment="table")


@require_safe
@requires(*SEEN)
def model_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a model: what is known of it, what it costs, how it does, and what the governor does with it."""
    now = timezone.now()
    model = _model(request, pk)
    span, spans = spans_of(request)
    context = {
        "model": model,
        "entry": catalogue.entry_of(model, now),
        "history": histories.of_models([model.pk], span, now, request.workspace.zone),
        "spans": spans,
        "lane": lanes.of_model(model, now),
        "window_source": _window_source(model),
        "price_url": _price_url(request, model),
        "is_admin": request.membership.may(Right.ADMIN),
    }
    return page(request, "llm/model_detail.html", context, fragment="history")


def _window_source(model: Model) -> str:
    """Return who says how long the context is, if that is the public list."""
    known = known_facts.context_window(model.connection.provider, model.name)
    return known_facts.source() if known and known == model.context_window else ""


def _price_url(request: HttpRequest, model: Model) -> str:
    if not request.membership.may(*PRICES):
        return ""
    query = urlencode({"provider": model.connection.provider, "model": model.name})
    return f"{reverse('price_history', kwargs={'workspace': request.workspace.slug})}?{query}"


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Right.ADMIN)
def model_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Write down what is known of a model."""
    model = _model(request, pk)
    initial: dict[str, Any] = {name: getattr(model, name) for name in FactsForm.base_fields}
    form = FactsForm(request.POST if request.method == "POST" else None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            actions.describe_model(model=model, facts=form.facts(), acting_user=request.user)
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            messages.success(request, "Saved.")
            return redirect("model_detail", workspace=request.workspace.slug, pk=model.pk)
    return page(request, "llm/model_edit.html", {"model": model, "form": form}, status=422 if form.errors else 200)


@require_POST
@requires(Right.ADMIN)
def model_add(request: HttpRequest, pk: int) -> HttpResponse:
    """Offer a model of the connection."""
    connection = connection_of(request, pk)
    form = ModelForm(request.POST, prefix="model")
    if not form.is_valid():
        raise DomainError(" ".join(f"{form[name].label}: {errors[0]}" for name, errors in form.errors.items()))
    model = actions.add_model(connection=connection, acting_user=request.user, **form.cleaned_data)
    if request.htmx:
        return page(request, "llm/_model_added.html", details_of(request, connection) | {"added": model})
    messages.success(request, f"{model.name} can be used now.")
    return to_connection(connection)


@require_POST
@requires(Right.ADMIN)
def model_archive(request: HttpRequest, pk: int) -> HttpResponse:
    """Stop offering a model."""
    model = get_object_or_404(request.workspace.models.with_connection(), pk=pk)
    actions.archive_model(model=model, acting_user=request.user)
    messages.success(request, f"{model.name} is archived.")
    return to_connection(model.connection)


def _model(request: HttpRequest, pk: int) -> Model:
    return get_object_or_404(request.workspace.models.usable().with_connection().select_related("workspace"), pk=pk)
