"""What streams: under /stream/, so that a proxy can send it to the process that serves streams."""

from django.urls import path

from apps.prompts import views

urlpatterns = [path("prompts/<int:prompt_id>/try/", views.prompt_try_stream, name="prompt_try_stream")]
