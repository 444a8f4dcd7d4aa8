"""How programs fetch prompts, write them and ask for them to go live."""

from django.urls import path

from apps.prompts.api.fetching import PromptBulk, PromptFetch, PromptRender
from apps.prompts.api.promoting import PromptChangeRequests, PromptDeployments, PromptRollBack, PromptTakeDown
from apps.prompts.api.writing import PromptDraft, PromptLabels, PromptVersions

urlpatterns = [
    path("prompts", PromptBulk.as_view(), name="api_prompt_bulk"),
    path("prompts/<path:name>/render", PromptRender.as_view(), name="api_prompt_render"),
    path("prompts/<path:name>/versions", PromptVersions.as_view(), name="api_prompt_versions"),
    path("prompts/<path:name>/draft", PromptDraft.as_view(), name="api_prompt_draft"),
    path("prompts/<path:name>/labels", PromptLabels.as_view(), name="api_prompt_labels"),
    path("prompts/<path:name>/change-requests", PromptChangeRequests.as_view(), name="api_prompt_change_requests"),
    path("prompts/<path:name>/deployments", PromptDeployments.as_view(), name="api_prompt_deployments"),
    path("prompts/<path:name>/roll-back", PromptRollBack.as_view(), name="api_prompt_roll_back"),
    path("prompts/<path:name>/take-down", PromptTakeDown.as_view(), name="api_prompt_take_down"),
    path("prompts/<path:name>", PromptFetch.as_view(), name="api_prompt_fetch"),
]
