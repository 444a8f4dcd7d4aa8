"""What holds a run up: models that do not answer now, or that have no place left for its calls."""

from dataclasses import dataclass
from datetime import datetime

from apps.experiments.models import Run
from apps.llm.models import Call, Lane, Waiter


@dataclass(frozen=True)
class Holdup:
    """A model that a run waits for. `since` is set when it does not answer; `mine` counts the run's own calls."""

    connection: str
    model: str
    since: datetime | None
    is_paused: bool
    places: int
    mine: int


def of_run(run: Run, now: datetime) -> list[Holdup]:
    """Return the models that hold a run up at this moment, in the order of its arms."""
    models = {arm.model_id: arm.position for arm in run.arms.all()}
    lanes = Lane.objects.filter(model__in=models).select_related("model__connection")
    waited_for = set(
        Waiter.objects.recent().filter(model__in=models, party=run.party).values_list("model_id", flat=True)
    )
    held_up = [lane for lane in lanes if lane.failures >= Lane.DOWN_AFTER or lane.pk in waited_for]
    return [_holdup(lane, run, now) for lane in sorted(held_up, key=lambda lane: models[lane.pk])]


def _holdup(lane: Lane, run: Run, now: datetime) -> Holdup:
    account = lane.model.connection
    return Holdup(
        connection=account.name,
        model=lane.model.name,
        since=lane.failing_since if lane.failures >= Lane.DOWN_AFTER else None,
        is_paused=lane.paused_until is not None and lane.paused_until > now,
        places=min(lane.width, account.max_concurrency),
        mine=Call.objects.in_flight().filter(model=lane.pk, party=run.party).count(),
    )
