"""A run as CSV, streamed: memory stays flat however many outputs it has."""

from collections.abc import Iterator
from itertools import chain

from apps.core import csv_safe
from apps.experiments.models import Output, Run

HEADER = (
    "case", "repeat", "role", "version", "model", "state", "passed", "score", "text", "finish_reason", "error_kind",
    "error_message", "latency_ms", "input_tokens", "output_tokens", "cost", "reused", "saved",
    "call",
)  # fmt: skip


def lines(run: Run) -> Iterator[str]:
    """Return the CSV of a run, line by line."""
    outputs = Output.objects.filter(run=run).select_related("case", "arm__version", "arm__model").order_by("id")
    return csv_safe.stream(chain([HEADER], map(_row, outputs.iterator(chunk_size=1000))))


def _row(output: Output) -> list[object]:
    return [
        output.case.name, output.repeat, output.arm.role, output.arm.version.number, output.arm.model.name,
        output.state, output.passed, output.score, output.text, output.finish_reason, output.error_kind,
        output.error_message, output.latency_ms, output.input_tokens, output.output_tokens, output.cost,
        output.reused, output.saved, output.call_id,
    ]  # fmt: skip
