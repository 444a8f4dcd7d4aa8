"""Change requests for programs: what waits, what each lacks, and checks that are reported from outside."""

from typing import Any

from django.http import Http404
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.api_access import key_of, scoped
from apps.accounts.rights import PROMOTE_PREFIX, Scope
from apps.core import text
from apps.core.errors import DomainError
from apps.prompts import actions, boards, change_data
from apps.prompts.api.naming import MayPromote
from apps.prompts.models import ChangeRequest, Check

PAGE = 50
MOST = 100


class CheckData(serializers.Serializer[dict[str, Any]]):
    name = serializers.CharField()
    required = serializers.BooleanField()  # type: ignore[assignment]  # a field of the data, not of the field
    status = serializers.CharField(help_text="missing when nobody has reported it.")
    summary = serializers.CharField()
    url = serializers.CharField()
    problem = serializers.CharField(help_text="Why it does not count; empty when it does.")
    accepted_by = serializers.CharField(allow_null=True)
    reported_at = serializers.DateTimeField(allow_null=True)


class ItemData(serializers.Serializer[dict[str, Any]]):
    prompt = serializers.CharField()
    version = serializers.IntegerField()
    content_hash = serializers.CharField()
    replaces = serializers.IntegerField(allow_null=True, help_text="The version that was live when it was asked for.")


class ChangeRequestData(serializers.Serializer[dict[str, Any]]):
    number = serializers.IntegerField()
    title = serializers.CharField()
    state = serializers.CharField()
    environment = serializers.CharField()
    author = serializers.CharField()
    created_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)
    emergency = serializers.BooleanField(help_text="It went live round the policy.")
    content_hash = serializers.CharField(help_text="What is asked for: send it along with a check.")
    items = ItemData(many=True)
    checks = CheckData(many=True)
    approvals = serializers.IntegerField()
    approvals_needed = serializers.IntegerField()
    missing = serializers.ListField(child=serializers.CharField(), help_text="What has to happen first, in sentences.")
    holds = serializers.ListField(child=serializers.CharField(), help_text="What passes by itself: a freeze, a wait.")
    url = serializers.CharField(help_text="The page for people.")


class ChangeRequestPage(serializers.Serializer[dict[str, Any]]):
    change_requests = ChangeRequestData(many=True)
    older = serializers.CharField(allow_null=True, help_text="Send it as `before` for the next page.")


class ReportData(serializers.Serializer[dict[str, Any]]):
    """What a program found. It binds to the content hash that the request had when the program looked."""

    name = serializers.CharField(max_length=40)
    status = serializers.ChoiceField(choices=Check.Status.choices)
    summary = serializers.CharField(max_length=500)
    content_hash = serializers.RegexField(r"^[0-9a-f]{64}$")
    url = serializers.CharField(max_length=300, required=False, allow_blank=True, default="")
    evidence = serializers.DictField(
        required=False, default=dict, help_text="At most 16 kB. `n` says how many cases were looked at; 0 never passes."
    )


class ChangeRequestListView(APIView):
    """Change requests, newest first, each with what it lacks. Prompt text is not in it."""

    permission_classes = [scoped(Scope.PROMPTS_PROPOSE)]
    access = Scope.PROMPTS_PROPOSE

    @extend_schema(
        operation_id="change_requests",
        parameters=[
            OpenApiParameter("state", str, description="waiting (all that are not closed), or one state."),
            OpenApiParameter("environment", str, description="Those that want to go live there."),
            OpenApiParameter("before", str, description="The page after this: take it from `older`."),
            OpenApiParameter("limit", int, description=f"1 to {MOST}; {PAGE} when absent."),
        ],
        responses=ChangeRequestPage,
    )
    def get(self, request: Request) -> Response:
        workspace, asked = key_of(request).workspace, request.query_params
        found = workspace.change_requests.opened().newest_first()
        if state := asked.get("state"):
            found = _in_state(found, state)
        if environment := asked.get("environment"):
            found = found.filter(environment__name=environment)
        if (before := asked.get("before")) is not None:
            found = found.filter(number__lt=_number(before, "before"))
        limit = min(_number(asked.get("limit", str(PAGE)), "limit"), MOST) or PAGE
        rows = list(boards.loaded(found).order_by("-number")[: limit + 1])
        page = change_data.of_requests(workspace, rows[:limit], request.build_absolute_uri)
        older = str(page[-1]["number"]) if len(rows) > limit else None
        return Response(ChangeRequestPage({"change_requests": page, "older": older}).data)


def _in_state(found: Any, state: str) -> Any:
    if state == "waiting":
        return found.waiting()
    if state not in ChangeRequest.State.values:
        raise DomainError(f"The state must be waiting or one of {', '.join(ChangeRequest.State.values)}.")
    return found.filter(state=state)


def _number(value: str, name: str) -> int:
    number = text.whole_number(value)
    if number is None:
        raise DomainError(f"{name} must be a whole number.")
    return number


def _find(request: Request, number: int) -> ChangeRequest:
    found = boards.loaded(key_of(request).workspace.change_requests.opened().filter(number=number)).first()
    if found is None:
        raise Http404
    return found


class ChangeRequestView(APIView):
    """One change request, with what it lacks."""

    permission_classes = [scoped(Scope.PROMPTS_PROPOSE)]
    access = Scope.PROMPTS_PROPOSE

    @extend_schema(operation_id="change_request", responses=ChangeRequestData)
    def get(self, request: Request, number: int) -> Response:
        found = _find(request, number)
        data = change_data.of_requests(key_of(request).workspace, [found], request.build_absolute_uri)
        return Response(ChangeRequestData(data[0]).data)


class PromoteData(serializers.Serializer[dict[str, Any]]):
    content_hash = serializers.RegexField(r"^[0-9a-f]{64}$", help_text="What you saw: nothing else goes live.")
    reason = serializers.CharField(max_length=4_000, required=False, allow_blank=True, default="")


class ChangeRequestPromote(APIView):
    """Put an approved request live, all of it as one. The key needs prompts:promote for the environment."""

    permission_classes = [MayPromote]
    access = PROMOTE_PREFIX + "production"

    @extend_schema(operation_id="promote_change_request", request=PromoteData, responses={201: ChangeRequestData})
    def post(self, request: Request, number: int) -> Response:
        found, key = _find(request, number), key_of(request)
        given = PromoteData(data=request.data)
        given.is_valid(raise_exception=True)
        actions.promote_change_request(change_request=found, actor=key, **given.validated_data)
        data = change_data.of_requests(key.workspace, [_find(request, number)], request.build_absolute_uri)
        return Response(ChangeRequestData(data[0]).data, status=201)


class ChangeRequestChecks(APIView):
    """Reports of checks. The same name again replaces the report before it."""

    permission_classes = [scoped(Scope.PROMPTS_PROPOSE)]
    access = Scope.PROMPTS_PROPOSE

    @extend_schema(operation_id="report_check", request=ReportData, responses={201: ChangeRequestData})
    def post(self, request: Request, number: int) -> Response:
        found = _find(request, number)
        report = ReportData(data=request.data)
        report.is_valid(raise_exception=True)
        actions.report_external_check(change_request=found, acting_key=key_of(request), **report.validated_data)
        data = change_data.of_requests(key_of(request).workspace, [_find(request, number)], request.build_absolute_uri)
        return Response(ChangeRequestData(data[0]).data, status=201)


urlpatterns = [
    path("change-requests", ChangeRequestListView.as_view(), name="api_change_requests"),
    path("change-requests/<int:number>", ChangeRequestView.as_view(), name="api_change_request"),
    path("change-requests/<int:number>/promote", ChangeRequestPromote.as_view(), name="api_change_request_promote"),
    path("change-requests/<int:number>/checks", ChangeRequestChecks.as_view(), name="api_change_request_checks"),
]
