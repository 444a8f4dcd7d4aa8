"""When to stop asking: a provider that is down, or a key that is refused, fails every output alike."""

from apps.experiments.faults import sentence
from apps.experiments.models import Output
from apps.experiments.results import Result
from apps.llm.errors import ErrorKind

CONSECUTIVE = 8
REFUSED_KEY = frozenset({ErrorKind.AUTHENTICATION, ErrorKind.PERMISSION})
SAID_BY_PROVIDER = frozenset(ErrorKind)
OVER_BUDGET = "over_budget"
PATIENT = frozenset({ErrorKind.RATE_LIMITED, ErrorKind.OVERLOADED})


class Breaker:
    """Counts failures in a row that are not the output's own fault; `reason` is set once it is no use to go on."""

    def __init__(self, concurrency: int) -> None:
        self.concurrency = concurrency
        self.in_a_row = 0
        self.reason = ""

    def note(self, result: Result) -> None:
        """Take a result into account."""
        if result.error_kind in REFUSED_KEY:
            self.reason = (
                f"The provider refused the key. {sentence(result.error_message)} Mend the connection, then resume."
            )
        elif result.error_kind == OVER_BUDGET:
            self.reason = f"{sentence(result.error_message)} Resume the run when there is room."
        elif result.state == Output.State.WAITING:
            self._count(result)
        else:
            self.in_a_row = 0

    def _count(self, result: Result) -> None:
        self.in_a_row += 1
        # A provider that asks us to slow down is there: only when it turns everybody away for long is it no use.
        limit = CONSECUTIVE + 2 * self.concurrency if result.error_kind in PATIENT else CONSECUTIVE
        if self.in_a_row >= limit and not self.reason:
            self.reason = self._words(result)

    def _words(self, result: Result) -> str:
        if result.error_kind not in SAID_BY_PROVIDER:
            return f"{sentence(result.error_message)} Resume the run once it is mended."
        return (
            f"The provider did not answer {self.in_a_row} times in a row. "
            f"The last time: {sentence(result.error_message)} Resume the run when it is back."
        )
