"""Spend for programs: sums by day range and by up to three dimensions, money as decimal strings."""

from typing import Any, cast

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.api_access import scoped
from apps.accounts.models import ApiKey
from apps.accounts.rights import Scope
from apps.costs import spend
from apps.costs.spend import DAY_AXES, Axis

MOST_AXES = 3
DAYS = 400


class SpendQuery(serializers.Serializer[dict[str, Any]]):
    """A range of days, both included, in the workspace's time zone; and what to group by."""

    group_by = serializers.CharField(
        required=False, default="model", help_text=f"Up to three of {', '.join(DAY_AXES)}."
    )

    def get_fields(self) -> dict[str, Any]:
        # "from" is a word of Python's own, so the field cannot stand in the class body.
        return {"from": serializers.DateField(), "to": serializers.DateField(), **super().get_fields()}

    def validate_group_by(self, value: str) -> list[Axis]:
        wanted = list(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))
        unknown = [name for name in wanted if name not in DAY_AXES]
        if unknown or not 1 <= len(wanted) <= MOST_AXES:
            raise serializers.ValidationError(f"Name one to three of {', '.join(DAY_AXES)}.")
        return [DAY_AXES[name] for name in wanted]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        days = (attrs["to"] - attrs["from"]).days
        if not 0 <= days <= DAYS:
            raise serializers.ValidationError({"to": [f"The range must hold 1 to {DAYS} days."]})
        return attrs


class SpendRow(serializers.Serializer[dict[str, Any]]):
    group = serializers.DictField(help_text="The columns of each dimension, and its name; an id of 0 is nobody.")
    calls = serializers.IntegerField()
    unpriced_calls = serializers.IntegerField()
    input_tokens = serializers.IntegerField(help_text="With what the provider's cache gave and took.")
    output_tokens = serializers.IntegerField()
    cost = serializers.DecimalField(max_digits=30, decimal_places=12)


class SpendReport(serializers.Serializer[dict[str, Any]]):
    currency = serializers.CharField()
    time_zone = serializers.CharField()
    calls = serializers.IntegerField()
    cost = serializers.DecimalField(max_digits=30, decimal_places=12)
    unpriced_calls = serializers.IntegerField()
    estimated_cost = serializers.DecimalField(max_digits=30, decimal_places=12)
    unattributed_cost = serializers.DecimalField(max_digits=30, decimal_places=12)
    rows = SpendRow(many=True)


class SpendView(APIView):
    """Sums of charges, exact to the last digit."""

    permission_classes = [scoped(Scope.SPEND_READ)]
    access = Scope.SPEND_READ

    @extend_schema(
        operation_id="spend",
        parameters=[
            OpenApiParameter("from", str, required=True, description="First day, like 2026-11-01."),
            OpenApiParameter("to", str, required=True, description="Last day, included."),
            OpenApiParameter("group_by", str, description=f"Up to three of {', '.join(DAY_AXES)}, with commas."),
        ],
        responses=SpendReport,
    )
    def get(self, request: Request) -> Response:
        query = SpendQuery(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        workspace = cast(ApiKey, request.auth).workspace
        proof = spend.proof(workspace.pk, asked["from"], asked["to"])
        report = {
            "currency": workspace.currency,
            "time_zone": workspace.time_zone,
            "calls": proof.calls,
            "cost": proof.cost,
            "unpriced_calls": proof.unpriced_calls,
            "estimated_cost": proof.estimated_cost,
            "unattributed_cost": proof.unattributed_cost,
            "rows": _rows(workspace.pk, asked["group_by"], asked["from"], asked["to"]),
        }
        return Response(SpendReport(report).data)


def _rows(workspace_id: int, axes: list[Axis], first: Any, last: Any) -> list[dict[str, Any]]:
    rows = spend.grouped(workspace_id, axes, first, last)
    words = {
        axis.name: spend.name_values(workspace_id, axis, {tuple(row[c] for c in axis.columns) for row in rows})
        for axis in axes
    }
    return [
        {
            "group": _group(row, axes, words),
            "calls": row["n"],
            "unpriced_calls": row["unpriced"],
            "input_tokens": row["tokens_in"],
            "output_tokens": row["tokens_out"],
            "cost": row["sum"],
        }
        for row in rows
    ]


def _group(row: dict[str, Any], axes: list[Axis], words: dict[str, dict[Any, str]]) -> dict[str, Any]:
    group: dict[str, Any] = {}
    for axis in axes:
        group |= {column: row[column] for column in axis.columns}
        if axis.kind:
            group[f"{axis.name}_name"] = words[axis.name][tuple(row[column] for column in axis.columns)]
    return group
