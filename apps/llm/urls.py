"""Addresses of the models room, under /w/<workspace>/models/."""

from django.urls import path

from apps.llm import views

urlpatterns = [
    path("", views.call_list, name="call_list"),
    path("calls/<uuid:pk>/", views.call_detail, name="call_detail"),
    path("connections/", views.connection_list, name="connection_list"),
    path("connections/new/", views.connection_new, name="connection_new"),
    path("connections/<int:pk>/", views.connection_detail, name="connection_detail"),
    path("connections/<int:pk>/test/", views.connection_test, name="connection_test"),
    path("connections/<int:pk>/key/", views.connection_key, name="connection_key"),
    path("connections/<int:pk>/archive/", views.connection_archive, name="connection_archive"),
    path("connections/<int:pk>/models/", views.model_add, name="model_add"),
    path("models/<int:pk>/archive/", views.model_archive, name="model_archive"),
]
