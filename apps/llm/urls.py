"""Addresses of the models room, under /w/<workspace>/models/."""

from django.urls import path

from apps.llm import views

urlpatterns = [
    path("", views.model_list, name="model_list"),
    path("<int:pk>/", views.model_detail, name="model_detail"),
    path("<int:pk>/facts/", views.model_edit, name="model_edit"),
    path("finder/", views.model_find, name="model_find"),
    path("estimator/", views.model_estimate, name="model_estimate"),
    path("calls/", views.call_list, name="call_list"),
    path("calls/prompts/", views.call_prompts, name="call_prompts"),
    path("calls/jump/", views.call_jump, name="call_jump"),
    path("calls/<uuid:pk>/", views.call_detail, name="call_detail"),
    path("calls/<uuid:pk>/call.json", views.call_json, name="call_json"),
    path("keeping/", views.keeping, name="keeping"),
    path("keeping/answers/", views.keeping_purge, name="keeping_purge"),
    path("connections/", views.connection_list, name="connection_list"),
    path("connections/new/", views.connection_new, name="connection_new"),
    path("connections/<int:pk>/", views.connection_detail, name="connection_detail"),
    path("connections/<int:pk>/test/", views.connection_test, name="connection_test"),
    path("connections/<int:pk>/key/", views.connection_key, name="connection_key"),
    path("connections/<int:pk>/archive/", views.connection_archive, name="connection_archive"),
    path("connections/<int:pk>/models/", views.model_add, name="model_add"),
    path("models/<int:pk>/archive/", views.model_archive, name="model_archive"),
]
