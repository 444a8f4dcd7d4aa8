from django.urls import path

from apps.notices.views import webhooks

urlpatterns = [
    path("", webhooks.webhook_list, name="webhook_list"),
    path("new/", webhooks.webhook_create, name="webhook_create"),
    path("<int:pk>/", webhooks.webhook_detail, name="webhook_detail"),
    path("<int:pk>/secret/", webhooks.webhook_secret, name="webhook_secret"),
    path("<int:pk>/switch/", webhooks.webhook_switch, name="webhook_switch"),
    path("<int:pk>/ping/", webhooks.webhook_ping, name="webhook_ping"),
    path("<int:pk>/rotate/", webhooks.webhook_rotate, name="webhook_rotate"),
    path("<int:pk>/remove/", webhooks.webhook_remove, name="webhook_remove"),
    path("<int:pk>/deliveries/<int:delivery_id>/", webhooks.webhook_delivery, name="webhook_delivery"),
    path("<int:pk>/deliveries/<int:delivery_id>/replay/", webhooks.webhook_replay, name="webhook_replay"),
]
