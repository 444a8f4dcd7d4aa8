"""Where every room is mounted. Pages live under /w/<workspace>/, programs under /api/v1/."""

from allauth.account import urls as allauth_urls
from django.urls import URLPattern, URLResolver, include, path

from apps.costs.api.otlp import TracesView
from llmops_site import views

ROOMS: list[URLPattern | URLResolver] = [
    path("", views.workspace_home, name="workspace_home"),
    path("prompts/", include("apps.prompts.urls")),
    path("experiments/", include("apps.experiments.urls")),
    path("reviews/", include("apps.reviews.urls")),
    path("spend/", include("apps.prompts.spend_urls")),
    path("spend/", include("apps.costs.urls")),
    path("models/", include("apps.llm.urls")),
    path("settings/", include("apps.notices.settings_urls")),
    path("settings/", include("apps.accounts.urls")),
    path("inbox/", include("apps.notices.urls")),
]

API: list[URLPattern | URLResolver] = [
    path("", include("apps.prompts.change_api")),
    path("", include("apps.prompts.api")),
    path("", include("apps.llm.api")),
    path("", include("apps.costs.api")),
    path("schema/", views.ApiSchema.as_view(), name="api_schema"),
]

# Of allauth, what an invited person needs: there is no changing of addresses, since invitations stand for them.
ENTRANCE = {
    "account_login",
    "account_logout",
    "account_signup",
    "account_inactive",
    "account_reauthenticate",
    "account_change_password",
    "account_set_password",
    "account_reset_password",
    "account_reset_password_done",
    "account_reset_password_from_key",
    "account_reset_password_from_key_done",
}

urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.home, name="home"),
    path("healthz", views.healthz, name="healthz"),
    path("join/", include("apps.accounts.join_urls")),
    path("accounts/", include([route for route in allauth_urls.urlpatterns if route.name in ENTRANCE])),
    path("w/<slug:workspace>/", include(ROOMS)),
    # Served by the process for streams, where one runs: see `STREAM_URL`.
    path("stream/w/<slug:workspace>/", include("apps.prompts.stream_urls")),
    path("api/v1/", include(API)),
    # Where SDKs of Langfuse ask when their base address is ours.
    path("api/public/", include("apps.prompts.api.langfuse")),
    path("api/public/otel/v1/traces", TracesView.as_view(), name="langfuse_traces"),
    # Where exporters of OpenTelemetry send when their base address is ours.
    path("v1/traces", TracesView.as_view(), name="otlp_traces"),
]

handler400 = "llmops_site.views.bad_request"
handler403 = "llmops_site.views.forbidden"
handler404 = "llmops_site.views.not_found"
handler500 = "llmops_site.views.broken"
