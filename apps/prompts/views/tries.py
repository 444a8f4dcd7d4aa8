"""The playground: the same inputs in up to four columns."""

import json
from typing import Any

from django.conf import settings
from django.db import connection
from django.http import HttpResponse, QueryDict, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.core import text
from apps.core.errors import DomainError
from apps.core.htmx import HttpRequest, page
from apps.prompts import columns, diffs, inputs, pace, spread, streaming, tries
from apps.prompts.columns import Column, Source
from apps.prompts.models import InputSet, Prompt
from apps.prompts.streams import from_the_page
from apps.prompts.tries import Try
from apps.prompts.variables import Values, Variable
from apps.prompts.views.prompts import find, frame

SLOTS = range(columns.MOST)
DIFF_BYTES = 512 * text.KILOBYTE


@require_http_methods(["GET", "POST"])
@requires(Right.EDIT)
def prompt_try(request: HttpRequest, prompt_id: int) -> HttpResponse:
    """Show the playground. Posted without `op`, ask every column and answer when all have: for browsers without streams.

    `set` and `load` (as JSON) bring other inputs; `op` is fields (other columns, so other variables), add (a column)
    or again (several times, to see the spread).
    """
    prompt = find(request, prompt_id)
    sources = columns.sources_of(prompt, request.user)
    query = request.POST if request.method == "POST" else request.GET
    chosen = columns.asked_for(query) or columns.first_choice(sources)
    if query.get("op") == "add":
        chosen = columns.with_another(chosen, sources)
    contract, problem = columns.contract_of(sources, chosen)
    is_load = "set" in query or "load" in query
    loaded = prompt.input_sets.named(query.get("set") if is_load else query.get("loaded"))
    values, refusal = _values(query, contract, loaded, is_load=is_load, is_post=request.method == "POST")
    shown = {
        **_context(request, prompt, sources, chosen),
        "fields": inputs.fields(contract, values),
        "problem": refusal or problem,
        "loaded": loaded,
    }
    if request.method == "POST" and not is_load and query.get("op", "again") == "again":
        return _answered(request, prompt, shown, values, refusal)
    return page(request, "prompts/prompt_try.html", shown, fragment="inputs")


def _answered(
    request: HttpRequest, prompt: Prompt, shown: dict[str, Any], values: Values, refusal: str
) -> HttpResponse:
    """Ask every column and show what they said."""
    times = _times(request.POST)
    chosen = [slot["column"] for slot in shown["slots"] if slot["is_open"]]
    if refusal:
        return page(request, "prompts/prompt_try.html", shown, status=422)
    pace.allow(request.membership, times * len(chosen), now=timezone.now())
    prepared = [_prepared(request, prompt, column, values) for column in chosen]
    answers = tries.ask_all(prepared, request.workspace.slug, times)
    for slot, one, outcomes in zip(shown["slots"], prepared, answers, strict=False):
        slot["outcome"] = outcomes[0] if times == 1 else None
        slot["spread"] = spread.of(outcomes) if times > 1 else None
        slot["values"] = json.dumps(one.values if isinstance(one, Try) else {}, ensure_ascii=False)
        slot["model"] = one.request.model.name if isinstance(one, Try) else ""
    return page(request, "prompts/prompt_try.html", shown)


@require_POST
@from_the_page
@requires(Right.EDIT)
def prompt_try_stream(request: HttpRequest, prompt_id: int) -> HttpResponseBase:
    """Ask the column at `at` and tell its answer while it comes; `times` asks again and again and tells the spread."""
    prompt = find(request, prompt_id)
    if not hasattr(request, "scope"):
        return HttpResponse("Streams are served by another process.", status=421, content_type="text/plain")
    slug, times = request.workspace.slug, _times(request.POST)
    try:
        column = _column_at(request)
        source = columns.find(prompt, request.user, column.key)
        values = inputs.read(request.POST, source.contract)
        wanted = tries.prepare(prompt, column, values, request.membership)
        pace.allow(request.membership, times, now=timezone.now())
    except DomainError as error:
        events = streaming.refusal(error)
    else:
        values_json = json.dumps(wanted.values, ensure_ascii=False)
        context = {"workspace": request.workspace, "prompt": prompt, "values": values_json}
        events = streaming.once(wanted, slug) if times == 1 else streaming.several(wanted, slug, times, context)
    _give_connection_back()
    return StreamingHttpResponse(streaming.body(events), content_type="text/event-stream")


def _give_connection_back() -> None:
    """Let others borrow this thread's connection: an answer may take minutes, and its rows are written elsewhere."""
    if connection.settings_dict.get("OPTIONS", {}).get("pool"):
        connection.close()


@require_POST
@requires(Right.EDIT)
def prompt_try_diff(request: HttpRequest, prompt_id: int) -> HttpResponse:
    """Show the words in which two answers differ."""
    prompt = find(request, prompt_id)
    one, other = (
        text.clean(request.POST.get(name, ""), field="An answer", max_bytes=DIFF_BYTES) for name in ("one", "other")
    )
    context = {"prompt": prompt, "pieces": diffs.words(one, other), "is_same": one == other}
    context |= {name: request.POST.get(name, "")[:80] for name in ("one_label", "other_label")}
    return page(request, "prompts/prompt_try_diff.html", context)


def _values(
    query: QueryDict, contract: list[Variable], loaded: InputSet | None, *, is_load: bool, is_post: bool
) -> tuple[Values, str]:
    """Return what stands in the fields, and why it cannot be tried."""
    try:
        if "load" in query:
            return inputs.from_json(query.get("load", "")), ""
        if is_load and loaded:
            return loaded.values, ""
        return (inputs.read(query, contract) if is_post else inputs.examples(contract)), ""
    except DomainError as error:
        return {}, error.message


def _prepared(request: HttpRequest, prompt: Prompt, column: Column, values: Values) -> Try | DomainError:
    try:
        return tries.prepare(prompt, column, values, request.membership)
    except DomainError as error:
        return error


def _column_at(request: HttpRequest) -> Column:
    """Return the one column that a stream is for. Raises NotThere."""
    place = text.whole_number(request.POST.get("at", ""))
    for column in columns.asked_for(request.POST):
        if column.place == place:
            return column
    raise columns.NotThere("This column is not there any more. Reload the page.")


def _times(post: QueryDict) -> int:
    said = post.get("again", "") if post.get("op") == "again" else post.get("times", "")
    wanted = text.whole_number(said) or 1
    return min(max(wanted, 1), spread.MOST)


def _context(request: HttpRequest, prompt: Prompt, sources: list[Source], chosen: list[Column]) -> dict[str, Any]:
    by_place = {column.place: column for column in chosen}
    spare = columns.spare(chosen, sources)
    place = {"workspace": request.workspace.slug, "prompt_id": prompt.pk}
    return {
        **frame(request, prompt, "try"),
        "sources": sources,
        "slots": [
            {"column": by_place.get(number, Column(number, spare)), "is_open": number in by_place} for number in SLOTS
        ],
        "models": columns.models_of(prompt).order_by("name", "id"),
        "sets": prompt.input_sets.by_name(),
        "times": range(spread.FEWEST, spread.MOST + 1),
        "asked_times": text.whole_number(request.POST.get("again", "")) or 5,
        "stream_url": settings.STREAM_URL + reverse("prompt_try_stream", kwargs=place),
    }
