from django.urls import path

from apps.notices.views import inbox as views

urlpatterns = [
    path("", views.inbox, name="inbox"),
    path("bell/", views.notice_bell, name="notice_bell"),
    path("read/", views.notices_read, name="notices_read"),
    path("<int:pk>/", views.notice_open, name="notice_open"),
]
