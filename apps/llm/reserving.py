"""Room in the budgets for the most that a call can cost, held before it may leave."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from apps.core import canonical
from apps.core.ids import time_of
from apps.costs import budgets
from apps.costs.models import Meter
from apps.llm.completion import CompletionRequest, EmbeddingRequest
from apps.llm.models import Call

# A call that never came back is written off after its deadline; its charge, which ends the reservation, comes then.
GRACE = timedelta(minutes=5)
OUTPUT_LIMITS = ("max_completion_tokens", "max_tokens")
# What may be in a message besides text and counts as the model's input all the same.
READABLE = frozenset({"text", "image_url", "image"})
STANDARD_TIERS = frozenset({"default", "standard_only"})


def hold(
    request: CompletionRequest | EmbeddingRequest, body: Mapping[str, Any], call: Call, *, size: int
) -> UUID | None:
    """Hold room for the attempt, of which `size` bytes are asked. Raises OverBudget when there is none.

    `body` is what is sent: what it does not limit, nothing does.
    """
    account, said = request.model.connection, request.attribution
    return budgets.reserve(
        workspace_id=call.workspace_id,
        at=time_of(call.charge_id),
        expires_at=call.deadline_at + GRACE,
        facts=budgets.Facts(
            provider=account.provider,
            model=request.model.name,
            purpose=said.purpose,
            team_id=said.team_id,
            api_key_id=said.api_key_id,
            prompt_id=said.prompt_id,
            version_id=said.version_id,
            environment=said.environment,
            customer=said.customer,
        ),
        meters=most_of(request, body, size),
        connection_id=account.pk,
        tier=_tier(body),
        region=str(body["inference_geo"]) if body.get("inference_geo") else None,
    )


def most_of(
    request: CompletionRequest | EmbeddingRequest, body: Mapping[str, Any], size: int
) -> dict[Meter, int] | None:
    """Return the most tokens that the call can use, or None when nothing bounds it.

    No tokenizer makes more tokens than bytes. A picture counts as much as the model can read.
    """
    window = request.model.context_window
    if isinstance(request, EmbeddingRequest):
        return {Meter.INPUT: size}
    kinds = _kinds(request)
    asked = window if kinds - {"text"} else min(size, window or size)
    answered = output_limit(body) or request.model.max_output_tokens or window
    if asked is None or answered is None or kinds - READABLE or _has_server_tools(body):
        return None
    return {_input_meter(body) if kinds else Meter.INPUT: asked, Meter.OUTPUT: answered}


def output_limit(body: Mapping[str, Any]) -> int | None:
    """Return how many tokens the request lets the answer take, or None when it does not say."""
    limits = [body.get(name) for name in OUTPUT_LIMITS]
    return max((limit for limit in limits if isinstance(limit, int) and limit > 0), default=None)


def _kinds(request: CompletionRequest) -> set[str]:
    """Return the kinds of parts that the messages are made of."""
    contents = [content for message in request.messages if isinstance(content := message.get("content"), list)]
    return {str(part.get("type")) if isinstance(part, dict) else "" for content in contents for part in content}


def _has_server_tools(body: Mapping[str, Any]) -> bool:
    """Tell whether the provider may use tools of its own, which it bills one by one."""
    tools = [tool for tool in body.get("tools") or [] if isinstance(tool, dict)]
    return "web_search_options" in body or any(
        "function" not in tool and "input_schema" not in tool and tool.get("type") not in {None, "custom"}
        for tool in tools
    )


def _input_meter(body: Mapping[str, Any]) -> Meter:
    """Return the dearest meter that the input may be billed by: writing it to a cache for an hour, if that is asked."""
    marked = canonical.dumps([body.get("messages"), body.get("system"), body.get("tools")])
    return Meter.CACHE_WRITE_1H if '"ttl":"1h"' in marked else Meter.INPUT


def _tier(body: Mapping[str, Any]) -> str | None:
    """Return the tier that is asked for; None leaves it to how the provider's account is set ("auto" does too)."""
    if body.get("speed") == "fast":
        return "fast"
    tier = str(body.get("service_tier") or "auto")
    return None if tier == "auto" else "" if tier in STANDARD_TIERS else tier
