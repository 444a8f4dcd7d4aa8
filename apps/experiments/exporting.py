"""A run as CSV, streamed: memory stays flat however many outputs it has."""

import csv
from collections.abc import Iterator

from apps.experiments.models import Output, Run

HEADER = (
    "case", "repeat", "role", "version", "model", "state", "passed", "score", "text", "finish_reason", "error_kind",
    "error_message", "latency_ms", "input_tokens", "output_tokens", "cost", "call",
)  # fmt: skip
RISKY = ("=", "+", "-", "@", "\t", "\r")


class _Echo:
    """A file that hands every line on."""

    def write(self, value: str) -> str:
        return value


def harmless(value: str) -> str:
    """Return text that a spreadsheet will not run as a formula."""
    return f"'{value}" if value.startswith(RISKY) else value


def lines(run: Run) -> Iterator[str]:
    """Yield the CSV of a run, line by line."""
    writer = csv.writer(_Echo())
    yield writer.writerow(HEADER)
    outputs = Output.objects.filter(run=run).select_related("case", "arm__version", "arm__model").order_by("id")
    for output in outputs.iterator(chunk_size=1000):
        yield writer.writerow(_row(output))


def _row(output: Output) -> list[object]:
    cost = None if output.cost is None else f"{output.cost:f}"
    return [
        harmless(output.case.name), output.repeat, output.arm.role, output.arm.version.number, output.arm.model.name,
        output.state, output.passed, output.score, harmless(output.text), output.finish_reason, output.error_kind,
        harmless(output.error_message), output.latency_ms, output.input_tokens, output.output_tokens, cost,
        output.call_id,
    ]  # fmt: skip
