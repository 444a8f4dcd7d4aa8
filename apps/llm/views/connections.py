"""Pages of the connections, for admins."""

from typing import Any

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
from apps.llm import actions, catalogue, health, histories, outages
from apps.llm.dialects import DIALECTS
from apps.llm.forms import ConnectionEditForm, ConnectionForm, KeyForm, ModelForm
from apps.llm.models import Connection
from apps.llm.views.spans import spans_of

SECTION = "connection_list"
LIMITS = ("max_concurrency", "requests_per_minute", "tokens_per_minute")
FOUND_SHOWN = 20


@require_safe
@requires(Right.ADMIN)
def connection_list(request: HttpRequest) -> HttpResponse:
    """List the connections with how they did in the last 24 hours."""
    connections = list(request.workspace.connections.live().order_by("name", "id"))
    models = list(request.workspace.models.usable().with_connection().order_by("name", "id"))
    now = timezone.now()
    context = {
        "connections": connections,
        "models": {
            connection.pk: [model for model in models if model.connection_id == connection.pk]
            for connection in connections
        },
        "health": health.of_workspace(request.workspace, now),
        "no_calls": health.Health(),
        "down": {outage.connection_id for outage in outages.of_workspace(request.workspace)},
        "unpriced": catalogue.unpriced_of(request.workspace, models, now),
    }
    return settings_page(request, "llm/connection_list.html", context, here=SECTION)


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
            return to_connection(connection)
    return _form_page(request, "llm/connection_new.html", form, {"defaults": _defaults()})


def _defaults() -> dict[str, str]:
    return {label: DIALECTS[kind].base_url for kind, label in Connection.Kind.choices if kind != "openai-compatible"}


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Right.ADMIN)
def connection_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a connection and its models, and change it."""
    connection = connection_of(request, pk)
    fields = ("kind", "name", "base_url", "provider", *LIMITS)
    form = ConnectionEditForm(request.POST or None, initial={name: getattr(connection, name) for name in fields})
    if request.method == "POST" and form.is_valid():
        wanted = {name: value for name, value in form.cleaned_data.items() if name != "kind"}
        try:
            actions.update_connection(connection=connection, acting_user=request.user, **wanted)
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            messages.success(request, "Saved.")
            return to_connection(connection)
    return _form_page(request, "llm/connection_detail.html", form, details_of(request, connection), "history")


def details_of(request: HttpRequest, connection: Connection) -> dict[str, Any]:
    """Return what the page of a connection shows besides the form."""
    now = timezone.now()
    models = list(connection.models.live().with_connection().order_by("name", "id"))
    span, spans = spans_of(request)
    # What archived models did is part of the connection's past.
    ids = list(connection.models.values_list("pk", flat=True))
    return {
        "connection": connection,
        "is_down": any(outage.connection_id == connection.pk for outage in outages.of_workspace(request.workspace)),
        "models": models,
        "unpriced": catalogue.unpriced_of(request.workspace, models, now),
        "health": health.of_workspace(request.workspace, now).get(connection.pk, health.Health()),
        "history": histories.of_models(ids, span, now, request.workspace.zone),
        "spans": spans,
        "model_form": ModelForm(prefix="model"),
        "key_form": KeyForm(prefix="replace"),
    }


@require_POST
@requires(Right.ADMIN)
def connection_test(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask the provider now, and say what was found."""
    connection = connection_of(request, pk)
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
    return to_connection(connection)


@require_POST
@requires(Right.ADMIN)
def connection_key(request: HttpRequest, pk: int) -> HttpResponse:
    """Replace the key."""
    connection = connection_of(request, pk)
    form = KeyForm(request.POST, prefix="replace")
    if not form.is_valid():
        raise DomainError("Enter the new key.")
    actions.replace_key(connection=connection, key=form.cleaned_data["key"], acting_user=request.user)
    messages.success(request, "The key is replaced. Calls that begin now use it.")
    return to_connection(connection)


@require_POST
@requires(Right.ADMIN)
def connection_archive(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a connection out of use."""
    connection = connection_of(request, pk)
    actions.archive_connection(connection=connection, acting_user=request.user)
    messages.success(request, f"{connection.name} is archived and its key forgotten.")
    return redirect("connection_list", workspace=request.workspace.slug)


def connection_of(request: HttpRequest, pk: int) -> Connection:
    return get_object_or_404(request.workspace.connections.live().select_related("workspace"), pk=pk)


def to_connection(connection: Connection) -> HttpResponse:
    return redirect("connection_detail", workspace=connection.workspace.slug, pk=connection.pk)


def _form_page(
    request: HttpRequest, template: str, form: ConnectionForm, context: dict[str, Any], fragment: str | None = None
) -> HttpResponse:
    """Show the form, again with what is wrong when it was sent; an entered key is never sent back."""
    status = 422 if form.errors else 200
    return settings_page(request, template, context | {"form": form}, here=SECTION, fragment=fragment, status=status)
