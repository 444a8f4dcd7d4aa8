"""Charges from programs: what was called elsewhere, booked here."""

from collections import Counter
from typing import Any

from django.db import InterfaceError, OperationalError
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.api_access import key_of, scoped
from apps.accounts.rights import Scope
from apps.core.errors import DomainError
from apps.core.text import MEGABYTE
from apps.costs.ingest import bodies, booking
from apps.costs.ingest.booking import Became, Outcome
from apps.costs.ingest.drafts import Sender, source_name
from apps.costs.ingest.usage import DIALECTS
from apps.costs.models import Meter, Purpose

MOST_ITEMS = 1_000
LONGEST_BODY = 16 * MEGABYTE


class TooMany(DomainError):
    """More items than one request may hold."""

    status = 413
    code = "too-many"


class BooksAway(APIException):
    """The database did not answer; whatever was booked, a repeat changes nothing twice."""

    status_code = 503
    default_detail = "The books cannot be reached now. Send the same again; nothing is booked twice."
    default_code = "books_away"
    wait = 5


class ChargeItem(serializers.Serializer[dict[str, Any]]):
    """One call to a model. Fields that are not named here are dropped unread; text of prompts has no place in it."""

    source_id = serializers.CharField(
        max_length=200, help_text="What the source calls the call. A repeat has the same."
    )
    at = serializers.DateTimeField(help_text="When the call was, with its time zone: a part of what it is known by.")
    provider = serializers.CharField(max_length=40, required=False)
    model = serializers.CharField(max_length=120, help_text="The model that answered.")
    requested_model = serializers.CharField(max_length=120, required=False)
    meters = serializers.DictField(
        child=serializers.IntegerField(), required=False, help_text=f"Disjoint counts: {', '.join(Meter.values)}."
    )
    total_tokens = serializers.IntegerField(required=False, help_text="With meters: what they must add up to.")
    reasoning_tokens = serializers.IntegerField(required=False, help_text="With meters: how many of the output's.")
    usage = serializers.DictField(
        required=False,
        help_text="In place of meters: the provider's own usage object. Uses of tools may stand in meters beside it.",
    )
    dialect = serializers.ChoiceField(choices=list(DIALECTS), required=False, help_text="Whose words `usage` is in.")
    tier = serializers.CharField(max_length=20, required=False)
    region = serializers.CharField(max_length=20, required=False)
    cost = serializers.DecimalField(max_digits=20, decimal_places=12, required=False)
    trust_cost = serializers.BooleanField(
        default=False,
        help_text="Book `cost` as it is; one ten times off our price list waits for a word. Otherwise the list decides, "
        "and `cost` is kept as a tag.",
    )
    purpose = serializers.ChoiceField(choices=Purpose.choices, default=Purpose.PRODUCTION)
    environment = serializers.CharField(max_length=40, required=False)
    team = serializers.CharField(max_length=80, required=False, help_text="Name or id; otherwise the API key's team.")
    customer = serializers.CharField(max_length=120, required=False)
    user = serializers.CharField(max_length=120, required=False, help_text="A member's e-mail, or any name.")
    prompt = serializers.CharField(max_length=255, required=False, help_text="Name or id.")
    version = serializers.IntegerField(required=False, help_text="The number of the prompt's version.")
    tags = serializers.DictField(child=serializers.CharField(), required=False)
    latency_ms = serializers.IntegerField(required=False)
    failed = serializers.BooleanField(default=False)


class ChargeBatch(serializers.Serializer[dict[str, Any]]):
    charges = ChargeItem(many=True, help_text=f"At most {MOST_ITEMS:,}.")

    def get_fields(self) -> dict[str, Any]:
        # A field of that name in the class body would be taken for REST framework's own `source`.
        source = serializers.CharField(max_length=40, help_text="Where they come from; the same name every time.")
        return {"source": source, **super().get_fields()}


class ChargeOutcome(serializers.Serializer[dict[str, Any]]):
    index = serializers.IntegerField()
    source_id = serializers.CharField()
    status = serializers.ChoiceField(choices=[name.value for name in Became])
    charge_id = serializers.UUIDField(required=False)
    reason = serializers.CharField(required=False)
    message = serializers.CharField(required=False)


class ChargeReport(serializers.Serializer[dict[str, Any]]):
    accepted = serializers.IntegerField()
    duplicate = serializers.IntegerField()
    quarantined = serializers.IntegerField()
    results = ChargeOutcome(many=True)


class ChargesView(APIView):
    """Book calls that did not pass through here. Each item stands for itself: a bad one holds up no other.

    Known by source, source_id and time, so a batch may be sent again after any accident.
    """

    permission_classes = [scoped(Scope.CHARGES_WRITE)]
    access = Scope.CHARGES_WRITE

    @extend_schema(operation_id="send_charges", request=ChargeBatch, responses=ChargeReport)
    def post(self, request: Request) -> Response:
        encoding = request.headers.get("Content-Encoding", "").strip().lower()
        source, raws = _batch(bodies.as_json(request._request, encoding, most=LONGEST_BODY))
        key = key_of(request)
        try:
            outcomes = list(booking.take(Sender.of_key(key, source), raws))
        except (OperationalError, InterfaceError):
            raise BooksAway from None
        found = Counter(outcome.became for outcome in outcomes)
        results = [_result(index, outcome) for index, outcome in enumerate(outcomes)]
        return Response({**{name.value: found[name] for name in Became}, "results": results})


def _batch(body: Any) -> tuple[str, list[object]]:
    """Return source and items. Raises DomainError where there are none or too many."""
    if not isinstance(body, dict) or not isinstance(body.get("charges"), list):
        raise DomainError('The body is an object: {"source": "…", "charges": [ … ]}.')
    if len(body["charges"]) > MOST_ITEMS:
        raise TooMany(f"{len(body['charges']):,} charges in one request; send at most {MOST_ITEMS:,} at a time.")
    return source_name(body.get("source")), body["charges"]


def _result(index: int, outcome: Outcome) -> dict[str, Any]:
    more = {"charge_id": outcome.charge_id, "reason": outcome.reason, "message": outcome.message}
    found = {name: value for name, value in more.items() if value}
    return {"index": index, "source_id": outcome.source_id, "status": outcome.became.value, **found}
