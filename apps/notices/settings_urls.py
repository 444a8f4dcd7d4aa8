from django.urls import path

from apps.notices.views import mails, preferences, webhooks

urlpatterns = [
    path("notifications/", preferences.notice_preferences, name="notice_preferences"),
    path("mails/", mails.mail_list, name="mail_list"),
    path("mails/<int:pk>/again/", mails.mail_again, name="mail_again"),
    path("webhooks/", webhooks.webhook_list, name="webhook_list"),
    path("webhooks/new/", webhooks.webhook_create, name="webhook_create"),
    path("webhooks/<int:pk>/", webhooks.webhook_detail, name="webhook_detail"),
    path("webhooks/<int:pk>/secret/", webhooks.webhook_secret, name="webhook_secret"),
    path("webhooks/<int:pk>/switch/", webhooks.webhook_switch, name="webhook_switch"),
    path("webhooks/<int:pk>/ping/", webhooks.webhook_ping, name="webhook_ping"),
    path("webhooks/<int:pk>/rotate/", webhooks.webhook_rotate, name="webhook_rotate"),
    path("webhooks/<int:pk>/remove/", webhooks.webhook_remove, name="webhook_remove"),
    path("webhooks/<int:pk>/deliveries/<int:delivery_id>/", webhooks.webhook_delivery, name="webhook_delivery"),
    path("webhooks/<int:pk>/deliveries/<int:delivery_id>/replay/", webhooks.webhook_replay, name="webhook_replay"),
]
