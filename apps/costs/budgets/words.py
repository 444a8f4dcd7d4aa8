"""What a budget covers, in words, and the values that a form may offer."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any, cast

from django.db.models import Sum

from apps.accounts.models import Workspace
from apps.costs.budgets.known import conditions_of
from apps.costs.models import AxisName, Budget, Dimension, Purpose, SpendAxis
from apps.costs.signals import limitable

LABELS = {
    "team_id": "Team",
    "api_key_id": "API key",
    "prompt_id": "Prompt",
    "version_id": "Version",
    "purpose": "Purpose",
    "environment": "Environment",
    "provider": "Provider",
    "model": "Model",
    "customer": "Customer",
}
KINDS = {
    "team_id": Dimension.Kind.TEAM,
    "api_key_id": Dimension.Kind.KEY,
    "prompt_id": Dimension.Kind.PROMPT,
    "version_id": Dimension.Kind.VERSION,
}
NOBODY = {
    "team_id": "No team",
    "api_key_id": "No API key",
    "prompt_id": "No prompt",
    "version_id": "No version",
    "environment": "No environment",
    "customer": "No customer",
}
# A name that a form offers must have been seen lately, and the dearest come first: there may be very many.
RECENT = timedelta(days=92)
MOST = 500
SEEN = {
    "environment": AxisName.ENVIRONMENT,
    "provider": AxisName.PROVIDER,
    "model": AxisName.MODEL,
    "customer": AxisName.CUSTOMER,
    "prompt_id": AxisName.PROMPT,
    "version_id": AxisName.VERSION,
    "team_id": AxisName.TEAM,
}
NAMED = {
    AxisName.PROMPT: Dimension.Kind.PROMPT,
    AxisName.VERSION: Dimension.Kind.VERSION,
    AxisName.TEAM: Dimension.Kind.TEAM,
}

Choice = tuple[str, str]
Names = Mapping[tuple[str, int], str]


def described(workspace_id: int, budgets: Iterable[Budget]) -> dict[int, list[Choice]]:
    """Return what each budget covers as pairs of label and name, by its id, in one query."""
    every = {budget.pk: conditions_of(budget) for budget in budgets}
    names = _names(workspace_id, [(name, value) for found in every.values() for name, value in found.items()])
    return {
        pk: [(LABELS[name], _word(name, value, names)) for name, value in found.items()] for pk, found in every.items()
    }


def _names(workspace_id: int, conditions: Iterable[tuple[str, int | str]]) -> Names:
    ids = {value for name, value in conditions if name in KINDS and value}
    if not ids:
        return {}
    rows = Dimension.objects.filter(workspace_id=workspace_id, kind__in=KINDS.values(), value_id__in=ids)
    return {(kind, value_id): name for kind, value_id, name in rows.values_list("kind", "value_id", "name")}


def _word(name: str, value: int | str, names: Names) -> str:
    if not value:
        return NOBODY.get(name, "None")
    if name == "purpose":
        return str(Purpose(str(value)).label)
    kind = KINDS.get(name)
    return str(value) if kind is None else names.get((kind, int(value)), f"number {value}")


def choices(workspace: Workspace, today: date) -> dict[str, list[Choice]]:
    """Return the values that each condition may be given: what is there to be limited, and what the books have seen."""
    seen = {name: _seen(workspace, axis, today) for name, axis in SEEN.items()}
    teams = {value: name for value, _, name in seen["team_id"] if value != "0"}
    teams |= {str(pk): name for pk, name in workspace.teams.values_list("pk", "name")}
    keys = workspace.api_keys.filter(revoked_at=None).order_by("name", "pk")
    prompts = [(value, name) for value, _, name in seen["prompt_id"] if value != "0"]
    names = dict(prompts)
    versions = [
        (value, f"{names.get(parent, 'Prompt')} {name}") for value, parent, name in seen["version_id"] if value != "0"
    ]
    told = _told(workspace)
    prompts = list({**{str(pk): name for pk, name in told["prompt_id"]}, **dict(prompts)}.items())
    versions = list({**{str(pk): name for pk, name in told["version_id"]}, **dict(versions)}.items())
    found: dict[str, list[Choice]] = {
        "team_id": [*sorted(teams.items(), key=lambda pair: pair[1]), ("0", NOBODY["team_id"])],
        "api_key_id": [(str(key.pk), key.name) for key in keys] + [("0", NOBODY["api_key_id"])],
        "prompt_id": [*sorted(prompts, key=lambda pair: pair[1]), ("0", NOBODY["prompt_id"])],
        "version_id": sorted(versions, key=lambda pair: pair[1]),
        "purpose": [(str(value), str(label)) for value, label in Purpose.choices],
    }
    plain = ("environment", "provider", "model", "customer")
    values = {name: [*_values(seen[name]), *told.get(name, [])] for name in plain}
    return found | {name: [(value, value) for value in dict.fromkeys(some)] for name, some in values.items()}


def _told(workspace: Workspace) -> dict[str, list[Any]]:
    """Return what can be limited although it has cost nothing yet, as other rooms and the price list tell it."""
    found: dict[str, list[Any]] = {"prompt_id": [], "version_id": []}
    for _, answer in limitable.send(sender=Budget, workspace_id=workspace.pk):
        for name, values in cast(dict[str, list[Any]], answer).items():
            found.setdefault(name, []).extend(values)
    priced = workspace.prices.standing().order_by("provider", "model").values_list("provider", "model").distinct()
    pairs = list(priced[:MOST])
    return found | {"provider": [provider for provider, _ in pairs], "model": [model for _, model in pairs]}


def _values(rows: list[tuple[str, str, str]]) -> list[str]:
    """Return the names once each: a model of two providers is one name."""
    return list(dict.fromkeys(value for value, _, _ in rows if value))


def _seen(workspace: Workspace, axis: AxisName, today: date) -> list[tuple[str, str, str]]:
    """Return value, parent and name of what cost something lately, the dearest first."""
    rows = SpendAxis.objects.of(workspace.pk, axis).within(today - RECENT, today).values_list("value", "parent")
    found = [(value, parent) for value, parent, _ in rows.annotate(sum=Sum("cost")).order_by("-sum", "value")[:MOST]]
    kind = NAMED.get(axis)
    if kind is None:
        return [(value, parent, value) for value, parent in found]
    known = Dimension.objects.filter(workspace_id=workspace.pk, kind=kind, value_id__in=[int(v) for v, _ in found])
    names = {str(value_id): name for value_id, name in known.values_list("value_id", "name")}
    return [(value, parent, names.get(value, f"number {value}")) for value, parent in found]
