"""The one request and the one result of all model work, whatever the provider's dialect."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from apps.costs.models import Meter
from apps.llm.attribution import Attribution
from apps.llm.models import Model

Message = dict[str, Any]  # {"role": "system" | "user" | "assistant", "content": str}


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Disjoint meters of one answer, in tokens. Reasoning is part of output, shown apart.

    `estimated` says that the provider did not tell, or told what does not add up, so that we counted text.
    """

    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    output: int = 0
    reasoning: int = 0
    estimated: bool = False

    @property
    def total(self) -> int:
        return self.input + self.cache_read + self.cache_write + self.cache_write_1h + self.output

    @property
    def meters(self) -> dict[Meter, int]:
        """What is billed, by the names that prices are kept under."""
        return {
            Meter.INPUT: self.input,
            Meter.CACHE_READ: self.cache_read,
            Meter.CACHE_WRITE: self.cache_write,
            Meter.CACHE_WRITE_1H: self.cache_write_1h,
            Meter.OUTPUT: self.output,
        }


@dataclass(frozen=True, kw_only=True)
class CompletionRequest:
    """What to ask of which model, and for whom. Parameters use OpenAI's names (temperature, max_tokens, …)."""

    model: Model
    messages: list[Message]
    attribution: Attribution
    parameters: dict[str, Any] = field(default_factory=dict)
    tools: list[dict[str, Any]] = field(default_factory=list)
    output_schema: dict[str, Any] | None = None
    timeout: float = 60.0
    max_attempts: int = 3
    bench_key: str = ""


@dataclass(frozen=True, kw_only=True)
class ToolCall:
    """A tool that the model wants called; `arguments` is JSON text, as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a dialect reads out of a provider's response. `usage` is None when it is absent or does not add up."""

    text: str
    tool_calls: list[ToolCall]
    finish_reason: str
    usage: Usage | None


@dataclass(frozen=True, kw_only=True)
class Completion:
    """What came back from the attempt that worked. `cost` is None when the model has no price."""

    text: str
    tool_calls: list[ToolCall]
    finish_reason: str
    usage: Usage
    cost: Decimal | None
    latency_ms: int
    call_id: UUID
    charge_id: UUID
    provider_request_id: str
    attempts: int
