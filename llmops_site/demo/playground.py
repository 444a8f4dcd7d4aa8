"""What people tried out by hand: prompts in the making, asked for in pieces, with what went wrong on the way."""

import random
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from apps.experiments import asking
from apps.experiments.models import Case, Suite
from apps.llm.attribution import Attribution
from apps.llm.completion import CompletionRequest
from apps.llm.models import Call, Model
from apps.prompts.models import Version
from llmops_site.demo import models, troubles, voice
from llmops_site.demo.people import Cast
from llmops_site.demo.streams import Stream
from llmops_site.demo.traffic import SEED, Ledger, bookings

STREAMED = 0.8


def try_out(cast: Cast, book: Ledger) -> int:
    """Ask for everything that people tried in these ninety days, and write it down; return how many requests."""
    said = list(_said(cast, book))
    voice.store(said)
    return len(said)


def _said(cast: Cast, book: Ledger) -> Iterator[voice.Said]:
    draw = random.Random(f"{SEED} playground")  # noqa: S311  repeatable, and guards nothing
    offered, inputs = models.models_of(cast.workspace), _inputs(cast)
    for booking in bookings(book.days, book.started()):
        if not booking.stream.person:
            continue
        for at in book.moments(booking):
            version = book.version_at(booking.stream, at)
            if version is not None:
                model = offered[str(version.model_config["model"])]
                request = _request(cast, booking.stream, version, model, draw.choice(inputs[booking.stream.prompt]))
                yield _asked(request, at, draw)


def _asked(request: CompletionRequest, at: datetime, draw: random.Random) -> voice.Said:
    operation = Call.Operation.STREAM if draw.random() < STREAMED else Call.Operation.COMPLETE
    return voice.ask(request, at, draw, operation=operation, troubles=troubles.at_the_playground(draw))


def _inputs(cast: Cast) -> dict[str, list[dict[str, Any]]]:
    """Return what the cases of each prompt's tests give in: people try what they test."""
    found: dict[str, list[dict[str, Any]]] = {}
    for suite in Suite.objects.filter(workspace=cast.workspace).select_related("prompt"):
        cases = Case.objects.filter(dataset=suite.dataset_id).current().in_order()
        found[suite.prompt.name] = [case.inputs for case in cases]
    return found


def _request(cast: Cast, stream: Stream, version: Version, model: Model, inputs: dict[str, Any]) -> CompletionRequest:
    user, team = cast.users[stream.person], cast.teams[stream.team]
    return CompletionRequest(
        model=model,
        messages=asking.messages(version, inputs),
        attribution=Attribution(
            purpose=stream.purpose,
            team_id=team.pk,
            team_name=team.name,
            user_id=user.pk,
            user_name=user.name,
            prompt_id=version.prompt_id,
            prompt_name=stream.prompt,
            version_id=version.pk,
            version_number=version.number,
            environment=stream.environment,
        ),
        parameters=version.model_config.get("parameters") or {},
        output_schema=version.output_schema,
    )
