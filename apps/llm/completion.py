"""The one request and the one result of all model work, whatever the provider's dialect."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from apps.costs.models import Meter
from apps.llm.attribution import Attribution
from apps.llm.models import Model

RARE = (Meter.AUDIO_CACHE_READ, Meter.IMAGE_INPUT, Meter.IMAGE_OUTPUT)
Message = dict[str, Any]  # {"role": "system" | "user" | "assistant", "content": str}


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Disjoint meters of one answer: tokens, and web searches that the provider made. Reasoning is part of output.

    `estimated` says that the provider did not tell, or told what does not add up, so that we counted text.
    """

    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    output: int = 0
    reasoning: int = 0
    estimated: bool = False
    audio_input: int = 0
    audio_output: int = 0
    audio_cache_read: int = 0
    image_input: int = 0
    image_output: int = 0
    web_searches: int = 0

    @property
    def total(self) -> int:
        """All tokens, as the provider would add them up."""
        return sum(count for meter, count in self.meters.items() if not meter.is_fee)

    @classmethod
    def of(cls, meters: Mapping[Meter, int], *, reasoning: int = 0) -> "Usage":
        """Return what these meters say."""
        values: dict[str, Any] = {meter.value: count for meter, count in meters.items()}
        return cls(**values, reasoning=reasoning)

    @property
    def meters(self) -> dict[Meter, int]:
        """What is billed, by the names that prices are kept under."""
        return {
            Meter.INPUT: self.input,
            Meter.CACHE_READ: self.cache_read,
            Meter.CACHE_WRITE: self.cache_write,
            Meter.CACHE_WRITE_1H: self.cache_write_1h,
            Meter.OUTPUT: self.output,
            Meter.AUDIO_INPUT: self.audio_input,
            Meter.AUDIO_OUTPUT: self.audio_output,
            Meter.WEB_SEARCH: self.web_searches,
            **{meter: count for meter in RARE if (count := getattr(self, meter.value))},
        }


@dataclass(frozen=True, kw_only=True)
class CompletionRequest:
    """What to ask of which model, and for whom. Parameters use OpenAI's names (temperature, max_tokens, …).

    `timeout` is for each attempt. `party` names who shares the model with others, a run for example; without one it
    follows from the attribution. `patience` is how many seconds to wait for a place when the model is busy. With
    `reuse`, an answer that the workspace kept may serve again; `repeat` tells equal requests apart that want answers
    of their own. `wanted` is asked before each attempt leaves; once it says no, NotWanted is raised.
    """

    model: Model
    messages: list[Message]
    attribution: Attribution
    parameters: dict[str, Any] = field(default_factory=dict)
    tools: list[dict[str, Any]] = field(default_factory=list)
    output_schema: dict[str, Any] | None = None
    timeout: float = 60.0
    max_attempts: int = 3
    party: str = ""
    patience: float | None = None
    reuse: bool = False
    repeat: int = 0
    wanted: Callable[[], bool] | None = None
    bench_key: str = ""


@dataclass(frozen=True, kw_only=True)
class ToolCall:
    """A tool that the model wants called; `arguments` is JSON text, as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a dialect reads out of a provider's response. `usage` is None when it is absent or does not add up.

    The tier, place and speed are those that the provider says it used, and `answered_by` is the model that it names.
    """

    text: str
    tool_calls: list[ToolCall]
    finish_reason: str
    usage: Usage | None
    service_tier: str = ""
    answered_by: str = ""
    inference_geo: str = ""
    speed: str = ""


@dataclass(frozen=True, kw_only=True)
class Completion:
    """What came back from the attempt that worked. `cost` is None when the model has no price.

    A reused answer cost nothing; `saved` is what it would have cost.
    """

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
    first_token_ms: int | None = None
    reused: bool = False
    saved: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class EmbeddingRequest:
    """Texts to turn into vectors. Everything else is as in CompletionRequest."""

    model: Model
    texts: list[str]
    attribution: Attribution
    dimensions: int | None = None
    timeout: float = 60.0
    max_attempts: int = 3
    party: str = ""
    patience: float | None = None
    bench_key: str = ""


@dataclass(frozen=True, kw_only=True)
class Embedding:
    """One vector for each text, in order, and what they cost (None when the model has no price)."""

    vectors: list[list[float]]
    usage: Usage
    cost: Decimal | None
    latency_ms: int
    call_id: UUID
    charge_id: UUID
    provider_request_id: str
    attempts: int


@dataclass(frozen=True, kw_only=True)
class Delta:
    """A piece of a streamed answer: new text, or a piece of the tool call at that place in the list."""

    text: str = ""
    tool_call: int | None = None
    tool_name: str = ""
    tool_arguments: str = ""


@dataclass(frozen=True, kw_only=True)
class EmbeddingAnswer:
    """What a dialect reads out of an answer with vectors. `usage` is None when it is absent or makes no sense."""

    vectors: list[list[float]]
    usage: Usage | None
    answered_by: str = ""
