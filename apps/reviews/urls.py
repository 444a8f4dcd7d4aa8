from django.urls import path

from apps.reviews import views

urlpatterns = [
    path("", views.review_desk, name="review_desk"),
    path("rate/<uuid:queue_token>/", views.rate, name="rate"),
    path("rate/<uuid:queue_token>/back/<int:steps>/", views.rate_back, name="rate_back"),
    path("rate/<uuid:queue_token>/skip/", views.rate_skip, name="rate_skip"),
    path("rate/<uuid:queue_token>/heartbeat/", views.rate_heartbeat, name="rate_heartbeat"),
    path("rate/<uuid:queue_token>/leave/", views.rate_leave, name="rate_leave"),
    path("queues/", views.queue_list, name="queue_list"),
    path("queues/new/", views.queue_create, name="queue_create"),
    path("queues/<int:queue_id>/", views.queue_detail, name="queue_detail"),
    path("queues/<int:queue_id>/close/", views.queue_close, name="queue_close"),
    path(
        "panels/change-request/<int:change_request_id>/",
        views.change_request_people,
        name="change_request_people",
    ),
]
