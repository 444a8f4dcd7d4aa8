"""Pages of the models room: the trace of calls for all who may see prompts, connections for admins."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.accounts.views.frame import settings_page
from apps.core.errors import DomainError
from apps.core.htmx import HttpRequest, page
from apps.llm import actions, health, traces
from apps.llm.dialects import DIALECTS
from apps.llm.forms import CallFilterForm, ConnectionEditForm, ConnectionForm, KeyForm, ModelForm
from apps.llm.models import Connection

SECTION = "connection_list"
FOUND_SHOWN = 20


@require_safe
@requires(Right.VIEW)
def call_list(request: HttpRequest) -> HttpResponse:
    """List the calls of the workspace, newest first."""
    form = CallFilterForm(request.GET)
    form.fields["model"].queryset = request.workspace.models.order_by("name", "id")  # type: ignore[attr-defined]
    wanted = form.wanted()
    found = traces.page_of_calls(request.workspace, wanted)
    context = {
        "form": form,
        "page": found,
        "is_filtered": bool(wanted.keys() - {"before"}),
        "is_admin": request.membership.may(Right.ADMIN),
    }
    return page(request, "llm/call_list.html", context, fragment="calls")


@require_safe
@requires(Right.VIEW)
def call_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show one call: what was asked, what came back, every attempt, and what it cost."""
    call = get_object_or_404(request.workspace.calls.with_model(), pk=pk)
    attempts = traces.attempts_at(call)
    charges = traces.charges_of([call, *attempts])
    charge = charges.get(call.pk)
    context = {
        "call": call,
        "attempts": attempts,
        "slowest": max((attempt.latency_ms or 0 for attempt in attempts), default=0),
        "charges": charges,
        "charge": charge,
        "lines": traces.lines_of(charge) if charge else [],
    }
    return page(request, "llm/call_detail.html", context)


@require_safe
@requires(Right.ADMIN)
def connection_list(request: HttpRequest) -> HttpResponse:
    """List the connections with how they did in the last 24 hours."""
    connections = list(request.workspace.connections.live().prefetch_related("models").order_by("name", "id"))
    now = timezone.now()
    context = {
        "connections": connections,
        "health": health.of_workspace(request.workspace, now),
        "no_calls": health.Health(),
        "unpriced": _unpriced(request, connections),
    }
    return settings_page(request, "llm/connection_list.html", context, here=SECTION)


def _unpriced(request: HttpRequest, connections: list[Connection]) -> set[int]:
    """Return the ids of the models in use that have no price."""
    priced = health.priced_models(request.workspace, timezone.now())
    return {
        model.pk
        for connection in connections
        for model in connection.models.all()
        if model.archived_at is None and (connection.provider, model.name) not in priced
    }


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Right.ADMIN)
def connection_new(request: HttpRequest) -> HttpResponse:
    """Add a connection."""
    form = ConnectionForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            connection = actions.create_connection(
                workspace=request.workspace, acting_user=request.user, **form.cleaned_data
            )
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            messages.success(request, f"{connection.name} is added. Test it, then add the models you want to use.")
            return _to(connection)
    return _form_page(request, "llm/connection_new.html", form, {"defaults": _defaults()})


def _defaults() -> dict[str, str]:
    return {label: DIALECTS[kind].base_url for kind, label in Connection.Kind.choices if kind != "openai-compatible"}


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Right.ADMIN)
def connection_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a connection and its models, and change it."""
    connection = _connection(request, pk)
    fields = ("kind", "name", "base_url", "provider", "max_concurrency")
    form = ConnectionEditForm(request.POST or None, initial={name: getattr(connection, name) for name in fields})
    if request.method == "POST" and form.is_valid():
        wanted = {name: value for name, value in form.cleaned_data.items() if name != "kind"}
        try:
            actions.update_connection(connection=connection, acting_user=request.user, **wanted)
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            messages.success(request, "Saved.")
            return _to(connection)
    return _form_page(request, "llm/connection_detail.html", form, _details(request, connection))


def _details(request: HttpRequest, connection: Connection) -> dict[str, Any]:
    now = timezone.now()
    return {
        "connection": connection,
        "models": list(connection.models.live().order_by("name", "id")),
        "unpriced": _unpriced(request, [connection]),
        "health": health.of_workspace(request.workspace, now).get(connection.pk, health.Health()),
        "model_form": ModelForm(prefix="model"),
        "key_form": KeyForm(prefix="replace"),
    }


@require_POST
@requires(Right.ADMIN)
def connection_test(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask the provider now, and say what was found."""
    connection = _connection(request, pk)
    finding = health.probe(connection, asked_by=request.user)
    if request.htmx:
        offered = set(connection.models.live().values_list("name", flat=True))
        lacking = [name for name in finding.models if name not in offered]
        context = {
            "connection": connection,
            "finding": finding,
            "lacking": lacking[:FOUND_SHOWN],
            "further": len(lacking[FOUND_SHOWN:]),
            "offered": [name for name in finding.models if name in offered],
        }
        return page(request, "llm/_finding.html", context)
    level = messages.success if finding.is_good else messages.error
    level(request, finding.message)
    return _to(connection)


@require_POST
@requires(Right.ADMIN)
def connection_key(request: HttpRequest, pk: int) -> HttpResponse:
    """Replace the key."""
    connection = _connection(request, pk)
    form = KeyForm(request.POST, prefix="replace")
    if not form.is_valid():
        raise DomainError("Enter the new key.")
    actions.replace_key(connection=connection, key=form.cleaned_data["key"], acting_user=request.user)
    messages.success(request, "The key is replaced. Calls that begin now use it.")
    return _to(connection)


@require_POST
@requires(Right.ADMIN)
def connection_archive(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a connection out of use."""
    connection = _connection(request, pk)
    actions.archive_connection(connection=connection, acting_user=request.user)
    messages.success(request, f"{connection.name} is archived and its key forgotten.")
    return redirect("connection_list", workspace=request.workspace.slug)


@require_POST
@requires(Right.ADMIN)
def model_add(request: HttpRequest, pk: int) -> HttpResponse:
    """Offer a model of the connection."""
    connection = _connection(request, pk)
    form = ModelForm(request.POST, prefix="model")
    if not form.is_valid():
        raise DomainError(" ".join(f"{form[name].label}: {errors[0]}" for name, errors in form.errors.items()))
    model = actions.add_model(connection=connection, acting_user=request.user, **form.cleaned_data)
    if request.htmx:
        return page(request, "llm/_model_added.html", _details(request, connection) | {"added": model})
    messages.success(request, f"{model.name} can be used now.")
    return _to(connection)


@require_POST
@requires(Right.ADMIN)
def model_archive(request: HttpRequest, pk: int) -> HttpResponse:
    """Stop offering a model."""
    model = get_object_or_404(request.workspace.models.with_connection(), pk=pk)
    actions.archive_model(model=model, acting_user=request.user)
    messages.success(request, f"{model.name} is archived.")
    return _to(model.connection)


def _connection(request: HttpRequest, pk: int) -> Connection:
    return get_object_or_404(request.workspace.connections.live().select_related("workspace"), pk=pk)


def _to(connection: Connection) -> HttpResponse:
    return redirect("connection_detail", workspace=connection.workspace.slug, pk=connection.pk)


def _form_page(request: HttpRequest, template: str, form: ConnectionForm, context: dict[str, Any]) -> HttpResponse:
    """Show the form, again with what is wrong when it was sent; an entered key is never sent back."""
    status = 422 if form.errors else 200
    return settings_page(request, template, context | {"form": form}, here=SECTION, status=status)
