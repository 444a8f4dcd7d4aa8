"""What came back for an output, written once: the answer, its scores and its verdict in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from django.db import connection, transaction

from apps.core.ids import uuid7_floor
from apps.costs.models import Charge
from apps.experiments import assertions
from apps.experiments.leases import Claim
from apps.experiments.models import Output, Run, Score
from apps.llm.models import Call

# The clocks of database and workers may differ; looking a little earlier costs nothing.
CLOCK_SLACK = timedelta(minutes=2)

_WRITE = """
UPDATE experiments_output AS output
SET state = new.state, lease_token = NULL, leased_until = NULL, call_id = new.call, text = new.text,
    finish_reason = new.finish_reason, error_kind = new.error_kind, error_message = new.error_message,
    latency_ms = new.latency_ms, input_tokens = new.input_tokens, output_tokens = new.output_tokens, cost = new.cost,
    passed = new.passed, score = new.score,
    finished_at = CASE WHEN new.state IN ('done', 'failed') THEN clock_timestamp() END
FROM unnest(%s::bigint[], %s::uuid[], %s::text[], %s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::int[],
            %s::int[], %s::int[], %s::numeric[], %s::boolean[], %s::float8[])
  AS new(id, token, state, call, text, finish_reason, error_kind, error_message, latency_ms, input_tokens,
         output_tokens, cost, passed, score)
WHERE output.id = new.id AND output.lease_token = new.token AND output.state = 'leased'
RETURNING output.id
"""


@dataclass
class Result:
    """What became of one claim: an answer, a failure for good, or a reason to wait and ask again."""

    claim: Claim
    state: str
    call_id: UUID | None = None
    text: str = ""
    finish_reason: str = ""
    error_kind: str = ""
    error_message: str = ""
    latency_ms: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: Decimal | None = None
    outcome: assertions.Outcome | None = field(default=None, repr=False)

    def row(self) -> tuple[object, ...]:
        outcome = self.outcome
        return (
            self.claim.output_id,
            self.claim.token,
            str(self.state),
            self.call_id,
            storable(self.text),
            self.finish_reason[:40],
            str(self.error_kind)[:40],
            storable(self.error_message)[:2000],
            self.latency_ms,
            self.input_tokens,
            self.output_tokens,
            self.cost,
            outcome.passed if outcome else None,
            outcome.score if outcome else None,
        )


def storable(text: str) -> str:
    """Return model output as PostgreSQL can hold it: without null bytes and halves of characters."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def store(run: Run, results: Sequence[Result]) -> int:
    """Write results whose lease still holds, with their scores; return how many that were."""
    if not results:
        return 0
    columns = [list(column) for column in zip(*(result.row() for result in results), strict=True)]
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_WRITE, columns)
            written = {row[0] for row in cursor.fetchall()}
        Score.objects.bulk_create(
            score
            for result in results
            if result.outcome is not None and result.claim.output_id in written
            for score in _scores(run, result.claim.output_id, result.outcome)
        )
    return len(written)


def _scores(run: Run, output_id: int, outcome: assertions.Outcome) -> list[Score]:
    return [
        Score(
            output_id=output_id,
            assertion_index=index,
            name=assertions.title(row),
            verdict=verdict.passed,
            value=verdict.value,
            reason=storable(verdict.reason)[:500],
            scorer_version=run.suite_version,
        )
        for index, (row, verdict) in enumerate(zip(run.assertions, outcome.verdicts, strict=True))
    ]


def already_paid(run: Run, claims: Sequence[Claim], origins: dict[int, str]) -> dict[int, Call]:
    """Return, by output, answers that were bought for claims before somebody lost them."""
    asked = [claim for claim in claims if claim.sent_from is not None]
    if not asked:
        return {}
    oldest = min(claim.sent_from for claim in asked if claim.sent_from is not None)
    by_origin = {origins[claim.output_id]: claim.output_id for claim in asked}
    calls = Call.objects.filter(
        workspace=run.workspace_id,
        id__gte=uuid7_floor(oldest - CLOCK_SLACK),
        state=Call.State.ANSWERED,
        origin__in=list(by_origin),
    )
    return {by_origin[call.origin]: call for call in calls.order_by("-id")}


def from_call(claim: Claim, call: Call) -> Result:
    """Return the result that an answered call holds."""
    usage = call.usage or {}
    meters = ("input", "cache_read", "cache_write", "cache_write_1h")
    charge = Charge.objects.filter(id=call.charge_id).first()
    return Result(
        claim=claim,
        state=Output.State.DONE,
        call_id=call.pk,
        text=call.text,
        finish_reason=call.finish_reason,
        latency_ms=call.latency_ms,
        input_tokens=sum(int(usage.get(meter) or 0) for meter in meters),
        output_tokens=int(usage.get("output") or 0),
        cost=charge.cost if charge else None,
    )
