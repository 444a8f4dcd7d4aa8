"""Exact answers kept for the next time that exactly the same is asked of the same model in the same workspace."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Any

from apps.accounts.models import Workspace
from apps.core import canonical
from apps.llm.completion import Answer, CompletionRequest, ToolCall
from apps.llm.models import BodyPolicy, CachedAnswer, Call

# An answer that was cut by a filter, or ended for a reason that nobody knows, is not one to give again.
WHOLE = frozenset({"stop", "length", "tool_calls"})


def key_of(request: CompletionRequest, body: Mapping[str, Any]) -> str:
    """Return the fingerprint of all that an answer depends on: the provider, what it is sent, and which repeat it is.

    Prompts do not share answers: to forget those of one is to ask anew whatever it asks.
    """
    account, prompt_id = request.model.connection, request.attribution.prompt_id
    return canonical.sha256([account.pk, account.kind, account.base_url, body, request.repeat, prompt_id])


def find(request: CompletionRequest, key: str, now: datetime) -> CachedAnswer | None:
    """Return the kept answer of the request's workspace, if there is one that may still serve."""
    return CachedAnswer.objects.fresh(now).filter(workspace=request.model.workspace_id, key=key).first()


def keep(call: Call, key: str, answer: Answer, cost: Decimal | None, *, policy: BodyPolicy, now: datetime) -> None:
    """Keep a whole answer for as long as the workspace allows; the newest answer to a request replaces the one before."""
    if policy.reuse_for is None or answer.finish_reason not in WHOLE:
        return
    kept = CachedAnswer(
        workspace_id=call.workspace_id,
        key=key,
        model_id=call.model_id,
        prompt_id=call.prompt_id,
        call_id=call.pk,
        answer={
            "text": answer.text,
            "tool_calls": [asdict(tool_call) for tool_call in answer.tool_calls],
            "finish_reason": answer.finish_reason,
        },
        cost=cost,
        created_at=now,
        expires_at=now + policy.reuse_for,
    )
    CachedAnswer.objects.bulk_create(
        [kept],
        update_conflicts=True,
        unique_fields=["workspace", "key"],
        update_fields=["model", "prompt_id", "call_id", "answer", "cost", "created_at", "expires_at"],
    )


def answer_of(kept: CachedAnswer) -> Answer:
    """Return the answer that was kept; it used nothing this time."""
    tool_calls = [ToolCall(**tool_call) for tool_call in kept.answer["tool_calls"]]
    return Answer(
        text=kept.answer["text"], tool_calls=tool_calls, finish_reason=kept.answer["finish_reason"], usage=None
    )


def purge(*, workspace: Workspace, prompt_id: int | None = None) -> int:
    """Forget the workspace's kept answers, or those to one prompt; return how many there were."""
    kept = CachedAnswer.objects.filter(workspace=workspace)
    if prompt_id is not None:
        kept = kept.filter(prompt_id=prompt_id)
    return kept.delete()[0]
