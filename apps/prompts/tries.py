"""Trying a prompt: from a column and values to a request, and from an answer to the facts below it."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.db import connection
from django.urls import reverse

from apps.accounts.models import Membership
from apps.core import formats
from apps.core.errors import DomainError
from apps.costs.models import Purpose
from apps.llm import inference
from apps.llm.attribution import Attribution
from apps.llm.completion import Completion, CompletionRequest
from apps.llm.errors import ProviderError
from apps.prompts import columns, inputs, rendering
from apps.prompts.columns import Column, Source
from apps.prompts.models import Prompt
from apps.prompts.variables import Values

TIMEOUT = 120.0
AT_ONCE = 4


@dataclass(frozen=True)
class Try:
    """One column, ready to be asked: the request, and the values that its contract took of the inputs."""

    source: Source
    request: CompletionRequest
    values: Values


@dataclass(frozen=True)
class Outcome:
    """What came of asking once: an answer with its facts, or the sentence that says why there is none."""

    text: str = ""
    error: str = ""
    trace_url: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    tools: list[dict[str, str]] = field(default_factory=list)
    completion: Completion | None = None

    @property
    def called(self) -> str:
        """Return the tools that the model wants called, one a line."""
        return "\n".join(f"{tool['name']}({tool['arguments']})" for tool in self.tools)


def prepare(prompt: Prompt, column: Column, values: Values, membership: Membership) -> Try:
    """Return the column ready to be asked.

    Raises NotThere for what is gone, ContractError and TemplateError for values and texts that do not go together.
    """
    source = columns.find(prompt, membership.user, column.key)
    model = columns.model_for(source, column.model_id)
    contract = source.contract
    taken = inputs.fitted(contract, values)
    content, config = source.content, source.content.model_config or {}
    if source.version is None:
        content.variables = contract  # what stands in the text counts, whether its author has described it or not
    request = CompletionRequest(
        model=model,
        messages=rendering.messages_of(content, taken),
        attribution=_attribution(prompt, source, membership),
        parameters=config.get("parameters") or {},
        tools=content.tools or [],
        output_schema=content.output_schema,
        timeout=TIMEOUT,
    )
    return Try(source=source, request=request, values=taken)


def _attribution(prompt: Prompt, source: Source, membership: Membership) -> Attribution:
    version, team = source.version, membership.team
    return Attribution(
        purpose=Purpose.PLAYGROUND,
        team_id=team.pk if team else None,
        team_name=team.name if team else "",
        user_id=membership.user.pk,
        user_name=membership.user.name,
        prompt_id=prompt.pk,
        prompt_name=prompt.name,
        version_id=version.pk if version else None,
        version_number=version.number if version else None,
        origin=reverse("prompt_try", kwargs={"workspace": membership.workspace.slug, "prompt_id": prompt.pk}),
    )


def outcome_of(done: Completion, slug: str) -> Outcome:
    """Return an answer with the facts that stand below it."""
    tools = [{"name": call.name, "arguments": call.arguments} for call in done.tool_calls]
    return Outcome(
        done.text, trace_url=trace_url(slug, done.call_id), facts=facts_of(done), tools=tools, completion=done
    )


def facts_of(done: Completion) -> dict[str, str]:
    """Return tokens, money and time of an answer, in words."""
    about = "about " if done.usage.estimated else ""
    return {
        "tokens": f"{about}{formats.number(done.usage.total - done.usage.output)} in, {formats.number(done.usage.output)} out",
        "cost": about + formats.money(done.cost),
        "seconds": formats.duration(done.latency_ms),
        "first": formats.duration(done.first_token_ms),
    }


def failure_of(error: DomainError, slug: str) -> Outcome:
    """Return why there is no answer, or only the beginning of one."""
    call_id = error.call_id if isinstance(error, ProviderError) else None
    received = error.received if isinstance(error, ProviderError) else ""
    return Outcome(received, error=error.message, trace_url=trace_url(slug, call_id))


def trace_url(slug: str, call_id: Any) -> str:
    return reverse("call_detail", kwargs={"workspace": slug, "pk": call_id}) if call_id else ""


def ask_all(tries: Iterable[Try | DomainError], slug: str, times: int = 1) -> list[list[Outcome]]:
    """Ask every column `times` times without streaming, a few at once; a refusal answers for its column alone."""
    wanted = list(tries)
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="try") as threads:
        running = [[threads.submit(_by_a_thread, partial(_ask, one, slug)) for _ in range(times)] for one in wanted]
        return [[job.result() for job in jobs] for jobs in running]


def _ask(wanted: Try | DomainError, slug: str) -> Outcome:
    if isinstance(wanted, DomainError):
        return failure_of(wanted, slug)
    try:
        return outcome_of(inference.complete(wanted.request), slug)
    except DomainError as error:
        return failure_of(error, slug)


def _by_a_thread(work: Callable[[], Outcome]) -> Outcome:
    try:
        return work()
    finally:
        connection.close()
