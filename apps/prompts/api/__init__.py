"""How programs fetch prompts, write them and ask for them to go live."""

from django.urls import path

from apps.prompts.api.fetching import PromptBulk, PromptFetch, PromptRender

urlpatterns = [
    path("prompts", PromptBulk.as_view(), name="api_prompt_bulk"),
    path("prompts/<path:name>/render", PromptRender.as_view(), name="api_prompt_render"),
    path("prompts/<path:name>", PromptFetch.as_view(), name="api_prompt_fetch"),
]
