"""Webhooks: who is told, what was sent, and what they answered."""

import json

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST, require_safe

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.accounts.views import once
from apps.accounts.views.frame import posted, private, settings_page
from apps.core import text
from apps.core.errors import DomainError
from apps.core.htmx import HttpRequest
from apps.notices import actions, signing
from apps.notices.forms import WebhookForm
from apps.notices.models import WebhookDelivery, WebhookEndpoint

SECTION = "webhook_list"
PAGE = 50


def find(request: HttpRequest, pk: int) -> WebhookEndpoint:
    """Return the workspace's webhook or raise Http404."""
    return get_object_or_404(request.workspace.webhooks.live().select_related("workspace", "created_by"), pk=pk)


@require_safe
@requires(Right.ADMIN)
def webhook_list(request: HttpRequest) -> HttpResponse:
    context = {"endpoints": request.workspace.webhooks.live().order_by("name", "id")}
    return settings_page(request, "notices/webhook_list.html", context, here=SECTION)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Right.ADMIN)
def webhook_create(request: HttpRequest) -> HttpResponse:
    form = WebhookForm(posted(request))
    if form.is_valid():
        try:
            endpoint, secret = actions.create_webhook(
                workspace=request.workspace, acting_user=request.user, **form.cleaned_data
            )
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            once.keep(request, f"webhook:{endpoint.pk}", secret)
            return redirect("webhook_secret", workspace=request.workspace.slug, pk=endpoint.pk)
    status = 422 if form.errors else 200
    return settings_page(request, "notices/webhook_create.html", {"form": form}, here=SECTION, status=status)


@require_GET
@requires(Right.ADMIN)
def webhook_secret(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the secret of a webhook that was just made or given a new one, once."""
    endpoint = find(request, pk)
    secret = once.take(request, f"webhook:{endpoint.pk}")
    if not secret:
        messages.info(request, f"The secret of {endpoint.name} was shown once. If it is lost, make a new one.")
        return redirect("webhook_detail", workspace=request.workspace.slug, pk=endpoint.pk)
    context = {"endpoint": endpoint, "secret": secret, "header": signing.HEADER}
    return private(settings_page(request, "notices/webhook_secret.html", context, here=SECTION))


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Right.ADMIN)
def webhook_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what was sent with its answers, and change where and when to send."""
    endpoint = find(request, pk)
    initial = {
        "name": endpoint.name,
        "url": endpoint.url,
        "events": endpoint.events,
        "environments": ", ".join(endpoint.environments),
    }
    form = WebhookForm(posted(request), initial=initial)
    if form.is_valid():
        try:
            actions.update_webhook(endpoint=endpoint, acting_user=request.user, **form.cleaned_data)
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            messages.success(request, "Saved.")
            return redirect("webhook_detail", workspace=request.workspace.slug, pk=pk)
    before = text.whole_number(request.GET.get("before", ""))
    shown = list(endpoint.deliveries.before(before).newest_first()[: PAGE + 1])
    context = {
        "endpoint": endpoint,
        "form": form,
        "deliveries": shown[:PAGE],
        "next": shown[PAGE - 1].pk if len(shown) > PAGE else None,
        "waiting": endpoint.deliveries.waiting().count(),
        "now": timezone.now(),
    }
    status = 422 if form.errors else 200
    return settings_page(
        request, "notices/webhook_detail.html", context, here=SECTION, fragment="deliveries", status=status
    )


@require_POST
@requires(Right.ADMIN)
def webhook_switch(request: HttpRequest, pk: int) -> HttpResponse:
    endpoint, on = find(request, pk), request.POST.get("on") == "yes"
    actions.switch_webhook(endpoint=endpoint, on=on, acting_user=request.user)
    messages.success(request, f"{endpoint.name} is {'on' if on else 'off'}.")
    return redirect("webhook_detail", workspace=request.workspace.slug, pk=pk)


@require_POST
@requires(Right.ADMIN)
def webhook_ping(request: HttpRequest, pk: int) -> HttpResponse:
    actions.ping_webhook(endpoint=find(request, pk), acting_user=request.user)
    messages.success(request, "A test message is on its way. It stands on top of the list.")
    return redirect("webhook_detail", workspace=request.workspace.slug, pk=pk)


@require_POST
@requires(Right.ADMIN)
def webhook_rotate(request: HttpRequest, pk: int) -> HttpResponse:
    endpoint = find(request, pk)
    secret = actions.rotate_webhook_secret(endpoint=endpoint, acting_user=request.user)
    once.keep(request, f"webhook:{endpoint.pk}", secret)
    return redirect("webhook_secret", workspace=request.workspace.slug, pk=pk)


@require_POST
@requires(Right.ADMIN)
def webhook_remove(request: HttpRequest, pk: int) -> HttpResponse:
    endpoint = find(request, pk)
    actions.remove_webhook(endpoint=endpoint, acting_user=request.user)
    messages.success(request, f"{endpoint.name} is told nothing any more.")
    return redirect("webhook_list", workspace=request.workspace.slug)


@require_safe
@requires(Right.ADMIN)
def webhook_delivery(request: HttpRequest, pk: int, delivery_id: int) -> HttpResponse:
    """Show one message: what was sent and what came back."""
    delivery = _find_delivery(request, pk, delivery_id)
    context = {
        "endpoint": delivery.endpoint,
        "delivery": delivery,
        "body": json.dumps(json.loads(delivery.body), indent=2, ensure_ascii=False),
        "replays": delivery.replays.newest_first()[:20],
    }
    return settings_page(request, "notices/webhook_delivery.html", context, here=SECTION)


@require_POST
@requires(Right.ADMIN)
def webhook_replay(request: HttpRequest, pk: int, delivery_id: int) -> HttpResponse:
    delivery = _find_delivery(request, pk, delivery_id)
    made = actions.replay_delivery(delivery=delivery, acting_user=request.user)
    messages.success(request, "It is sent once more.")
    return redirect("webhook_delivery", workspace=request.workspace.slug, pk=pk, delivery_id=made.pk)


def _find_delivery(request: HttpRequest, pk: int, delivery_id: int) -> WebhookDelivery:
    found = WebhookDelivery.objects.select_related("endpoint__workspace", "replay_of")
    return get_object_or_404(found, pk=delivery_id, endpoint=find(request, pk))
