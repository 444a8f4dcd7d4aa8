"""Calls for programs: the list with the filters of the page, and each with its texts."""

from typing import Any
from uuid import UUID

from django.http import Http404
from django.urls import path
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.api_access import key_of, scoped
from apps.accounts.rights import Scope
from apps.core.ids import time_of
from apps.llm.forms.traces import PERIODS, CallFilterForm
from apps.llm.models import Call, Model
from apps.llm.traces import search, trace
from apps.llm.traces.wanted import Look

FILTERS = {
    "prompt": "The prompt's name.",
    "prompt_id": "The prompt's id, instead of its name.",
    "version": "The version's number, within the prompt.",
    "model": "The model's id.",
    "connection": "The connection's id.",
    "purpose": "production, playground, evaluation, judge, review or guardrail.",
    "operation": "complete, stream or embed.",
    "state": f"{', '.join(Look.values)}.",
    "error": "The kind of error, like rate_limited; lost for a call whose process never came back.",
    "slower": "Took at least so many seconds.",
    "dearer": "Cost at least so much.",
    "person": "The id of who asked.",
    "key": "The id of the API key that asked.",
    "period": f"{', '.join(PERIODS)}: back from now.",
    "since": "Sent at or after this moment (ISO 8601; UTC where no offset is given).",
    "until": "Sent before this moment.",
    "before": "The page that goes on from here, back in time: take it from `older`.",
    "after": "The page that goes on from here, forward in time: take it from `newer`.",
}


class CallView(APIView):
    """The list of calls, newest first. Prompt text is not in it."""

    permission_classes = [scoped(Scope.CALLS_READ)]
    access = Scope.CALLS_READ

    @extend_schema(
        operation_id="calls",
        parameters=[OpenApiParameter(name, str, description=words) for name, words in FILTERS.items()],
        responses=OpenApiTypes.OBJECT,
    )
    def get(self, request: Request) -> Response:
        workspace = key_of(request).workspace
        form = CallFilterForm(request.query_params, workspace=workspace, now=timezone.now())
        if form.errors:
            raise serializers.ValidationError(
                {name: [str(error) for error in errors] for name, errors in form.errors.items()}
            )
        found = search.page_of_calls(workspace.pk, form.wanted(), form.place)
        models = workspace.models.with_connection().in_bulk({call.model_id for call in found.calls})
        stopped = found.stopped_at
        return Response(
            {
                "calls": [_row(call, models) for call in found.calls],
                "older": _text(found.older or (None if found.place.is_forward else stopped)),
                "newer": _text(found.newer or (stopped if found.place.is_forward else None)),
                "searched_until": time_of(stopped).isoformat() if stopped else None,
            }
        )


def _row(call: Call, models: dict[int, Model]) -> dict[str, Any]:
    call.model = models[call.model_id]
    return trace.row_as_data(call)


def _text(call_id: UUID | None) -> str | None:
    return str(call_id) if call_id else None


class CallDetailView(APIView):
    """One call, with what is kept of its texts."""

    permission_classes = [scoped(Scope.CALLS_READ)]
    access = Scope.CALLS_READ

    @extend_schema(operation_id="call", responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, pk: UUID) -> Response:
        calls = key_of(request).workspace.calls.with_model().with_body()
        call = calls.filter(pk=pk).first()
        if call is None:
            raise Http404
        return Response(trace.as_data(call))


urlpatterns = [
    path("calls", CallView.as_view(), name="api_calls"),
    path("calls/<uuid:pk>", CallDetailView.as_view(), name="api_call"),
]
