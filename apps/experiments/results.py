"""What came back for an output, written once: the answer, its scores and its verdict in one transaction."""

import logging
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
from apps.llm import sweeper
from apps.llm.models import BodyPolicy, Call

logger = logging.getLogger(__name__)

# The clocks of database and workers may differ; looking a little earlier costs nothing.
CLOCK_SLACK = timedelta(minutes=2)
READ = ("input", "cache_read", "cache_write", "cache_write_1h", "audio_input")

_WRITE = """
UPDATE experiments_output AS output
SET state = new.state, lease_token = NULL, leased_until = NULL, call_id = new.call, text = new.text,
    finish_reason = new.finish_reason, error_kind = new.error_kind, error_message = new.error_message,
    latency_ms = new.latency_ms, input_tokens = new.input_tokens, output_tokens = new.output_tokens, cost = new.cost,
    reused = new.reused, saved = new.saved, passed = new.passed, score = new.score,
    finished_at = CASE WHEN new.state IN ('done', 'failed') THEN clock_timestamp() END
FROM unnest(%s::bigint[], %s::uuid[], %s::text[], %s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::int[],
            %s::int[], %s::int[], %s::numeric[], %s::boolean[], %s::numeric[], %s::boolean[], %s::float8[])
  AS new(id, token, state, call, text, finish_reason, error_kind, error_message, latency_ms, input_tokens,
         output_tokens, cost, reused, saved, passed, score)
WHERE output.id = new.id AND output.lease_token = new.token AND output.state = 'leased'
RETURNING output.id
"""


@dataclass
class Result:
    """What became of one claim: an answer, a failure for good, or a reason to wait and ask again.

    One that was never `asked` goes back as it was.
    """

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
    reused: bool = False
    saved: Decimal | None = None
    asked: bool = True
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
            self.reused,
            self.saved,
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
    """Return, by output, answers that were bought for claims before somebody lost them.

    Only those whose text was kept: of the others nothing is left but their cost, and they are asked for again.
    """
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
    found = list(calls.with_body().order_by("-id"))
    kept = {by_origin[call.origin]: call for call in found if _is_kept(call)}
    if gone := {call.origin for call in found} - {call.origin for call in kept.values()}:
        logger.warning("run %s buys %s answers again: they were lost, and their texts not kept", run.pk, len(gone))
    return kept


def _is_kept(call: Call) -> bool:
    return hasattr(call, "body") and call.body.kept == BodyPolicy.Kept.FULL


def write_off(run: Run, claims: Sequence[Claim], origins: dict[int, str]) -> int:
    """End the calls of whoever lost these claims, which hold places that the run needs; return how many there were.

    Should such a call come back after all, it is charged as estimated here, and its answer belongs to nobody.
    """
    asked = [origins[claim.output_id] for claim in claims if claim.sent_from is not None]
    if not asked:
        return 0
    models = [arm.model_id for arm in run.arms.all()]
    calls = Call.objects.in_flight().filter(party=run.party, model__in=models, origin__in=asked).with_model()
    return sum(sweeper.charge_lost(call) for call in calls)


def from_call(claim: Claim, call: Call) -> Result:
    """Return the result that an answered call holds: what it took, or for a reused answer what that saved."""
    result = Result(
        claim=claim,
        state=Output.State.DONE,
        call_id=call.pk,
        text=call.body.text,
        finish_reason=call.finish_reason,
        cost=call.cost,
    )
    if call.reused_id is not None:
        result.reused = True
        result.saved = Charge.objects.values_list("saved", flat=True).get(pk=call.charge_id)
        return result
    usage = call.usage or {}
    result.latency_ms = call.latency_ms
    result.input_tokens = sum(int(usage.get(meter) or 0) for meter in READ)
    result.output_tokens = int(usage.get("output") or 0)
    return result
