"""How people choose among calls."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django import forms

from apps.accounts.models import ApiKey, User, Workspace
from apps.core import formats
from apps.costs.models import Purpose
from apps.llm.errors import ErrorKind
from apps.llm.models import Call, Connection, Model
from apps.llm.traces import names
from apps.llm.traces.search import Place
from apps.llm.traces.wanted import Look, Wanted

PERIODS = {
    "hour": ("Last hour", timedelta(hours=1)),
    "day": ("Last 24 hours", timedelta(days=1)),
    "week": ("Last 7 days", timedelta(days=7)),
    "month": ("Last 30 days", timedelta(days=30)),
}
ERRORS = [(kind.value, kind.value.replace("_", " ").capitalize()) for kind in ErrorKind] + [("lost", "Lost")]
LARGEST = 2**62
LONGEST = Decimal(2**31 - 1) / 1000  # seconds, as milliseconds in the column


def _moment(label: str) -> forms.DateTimeField:
    widget = forms.DateTimeInput(format="%Y-%m-%dT%H:%M", attrs={"type": "datetime-local"})
    formats_read = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"]
    return forms.DateTimeField(label=label, required=False, widget=widget, input_formats=formats_read)


class CallFilterForm(forms.Form):
    """Which calls to list; what is not understood is left out and says so beside its field."""

    prompt = forms.CharField(max_length=255, required=False)
    state = forms.ChoiceField(required=False, choices=[("", "Any state"), *Look.choices])
    model = forms.ModelChoiceField(required=False, queryset=Model.objects.none(), empty_label="Any model")
    period = forms.ChoiceField(
        required=False, choices=[("", "Any time"), *((name, words) for name, (words, _) in PERIODS.items())]
    )
    version = forms.IntegerField(required=False, min_value=1, max_value=2**31 - 1)
    purpose = forms.ChoiceField(required=False, choices=[("", "Any purpose"), *Purpose.choices])
    operation = forms.ChoiceField(label="Kind", required=False, choices=[("", "Any kind"), *Call.Operation.choices])
    connection = forms.ModelChoiceField(
        required=False, queryset=Connection.objects.none(), empty_label="Any connection"
    )
    error = forms.ChoiceField(required=False, choices=[("", "Any error"), *ERRORS])
    slower = forms.DecimalField(label="Took at least (seconds)", required=False, min_value=0, max_value=LONGEST)
    dearer = forms.DecimalField(label="Cost at least", required=False, min_value=0, max_digits=20, decimal_places=12)
    person = forms.TypedChoiceField(required=False, coerce=int, empty_value=None)
    key = forms.ModelChoiceField(label="API key", required=False, queryset=ApiKey.objects.none(), empty_label="Any key")
    since = _moment("From")
    until = _moment("Until")
    prompt_id = forms.IntegerField(required=False, min_value=1, max_value=LARGEST, widget=forms.HiddenInput)
    before = forms.UUIDField(required=False, widget=forms.HiddenInput)
    after = forms.UUIDField(required=False, widget=forms.HiddenInput)

    BAR = ("prompt", "state", "model", "period")
    CURSORS = ("before", "after")

    def __init__(self, data: Mapping[str, Any], *, workspace: Workspace, now: datetime) -> None:
        super().__init__(data)
        self.workspace, self.now = workspace, now
        fields: dict[str, Any] = self.fields
        fields["model"].queryset = workspace.models.order_by("name", "id")
        fields["connection"].queryset = workspace.connections.order_by("name", "id")
        fields["key"].queryset = workspace.api_keys.order_by("name", "id")
        fields["person"].choices = [("", "Anybody"), *self._people(str(data.get("person", "")))]
        self.is_valid()

    def _people(self, chosen: str) -> list[tuple[int, str]]:
        members = User.objects.filter(memberships__workspace=self.workspace).order_by("name", "id")
        found = [(user.pk, user.name or user.email) for user in members]
        if chosen.isascii() and chosen.isdigit() and len(chosen) < 19 and int(chosen) not in dict(found):
            # Who left is no member any more, but their calls are still theirs.
            found += [(int(chosen), name) for name in [names.name_of_person(self.workspace.pk, int(chosen))] if name]
        return found

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        self._find_prompt(cleaned)
        if cleaned.get("version") and "prompt_id" not in self.errors:
            self._find_version(cleaned)
        for name in ("since", "until"):
            if cleaned.get(name) and not 2000 <= cleaned[name].year <= 2200:
                self.add_error(name, "Choose a year from 2000 to 2200.")
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and until <= since:
            self.add_error("until", "This is before the beginning.")
        return cleaned

    def _find_prompt(self, cleaned: dict[str, Any]) -> None:
        """Look the prompt's id up by its name, or its name by its id."""
        name, prompt_id = cleaned.get("prompt"), cleaned.get("prompt_id")
        if not name and not prompt_id:
            return
        called = names.prompts_called(self.workspace.pk)
        if name:
            prompt_id = next((key for key, known in called.items() if known == name), None)
        cleaned["prompt_id"] = prompt_id or 0  # nobody's, so that an unknown name finds nothing instead of everything
        cleaned["prompt"] = name or called.get(prompt_id or 0) or f"prompt {prompt_id}"

    def _find_version(self, cleaned: dict[str, Any]) -> None:
        if not cleaned.get("prompt_id"):
            if not cleaned.get("prompt"):
                self.add_error("version", "Choose a prompt first: versions are numbered within it.")
            return
        called = names.versions_called(self.workspace.pk, cleaned["prompt_id"])
        cleaned["version_id"] = next((key for key, number in called.items() if number == cleaned["version"]), 0)

    @property
    def place(self) -> Place:
        """Where in the list the page begins."""
        if after := self.cleaned_data.get("after"):
            return Place(after, is_forward=True)
        return Place(self.cleaned_data.get("before"))

    def wanted(self) -> Wanted:
        """Return what was asked for and understood."""
        found = self.cleaned_data
        slower = found.get("slower")
        return Wanted(
            prompt_id=found.get("prompt_id"),
            version_id=found.get("version_id"),
            model_ids=self._model_ids(found.get("model"), found.get("connection")),
            purpose=found.get("purpose", ""),
            operation=found.get("operation", ""),
            look=found.get("state", ""),
            error_kind=found.get("error", ""),
            latency_ms=int(slower * 1000) if slower else None,
            cost=found.get("dearer") or None,
            user_id=found.get("person"),
            api_key_id=found["key"].pk if found.get("key") else None,
            since=self._since(),
            until=found.get("until"),
        )

    def _since(self) -> datetime | None:
        since: datetime | None = self.cleaned_data.get("since")
        period = self.cleaned_data.get("period")
        return since or (self.now - PERIODS[period][1] if period else None)

    @staticmethod
    def _model_ids(model: Model | None, connection: Connection | None) -> tuple[int, ...] | None:
        if model:
            return (model.pk,) if connection is None or model.connection_id == connection.pk else ()
        return tuple(connection.models.order_by("id").values_list("pk", flat=True)) if connection else None

    def chips(self) -> list[dict[str, str]]:
        """Return what the list is narrowed to, in words, each with the query that is left without it."""
        found = []
        for name in self.fields:
            words = "" if name in (*self.CURSORS, "prompt_id") else self._words(name)
            if words:
                gone = {name, "prompt_id", "version"} if name == "prompt" else {name}
                found.append({"label": words, "query": self._query_without({*gone, *self.CURSORS})})
        return found

    def _query_without(self, gone: set[str]) -> str:
        kept = {name: self.data.get(name) for name in self.fields if name not in gone and name not in self.errors}
        return urlencode({name: value for name, value in kept.items() if value})

    def address(self, **place: object) -> str:
        """Return the query string of the same filter at another place in the list; none is the newest page."""
        here = self._query_without(set(self.CURSORS))
        there = urlencode({name: value for name, value in place.items() if value})
        return "?" + "&".join(part for part in (here, there) if part)

    @property
    def bar(self) -> list[forms.BoundField]:
        """The fields that stand in the bar beside the prompt's."""
        return [self[name] for name in self.BAR[1:]]

    @property
    def further(self) -> list[forms.BoundField]:
        """The fields that are folded away."""
        return [field for field in self.visible_fields() if field.name not in self.BAR]

    @property
    def folded_away(self) -> int:
        """How many of the fields that are folded away narrow the list."""
        return sum(bool(self.data.get(field.name)) for field in self.further)

    def problems(self) -> list[str]:
        """Return what was not understood, in words."""
        return [f"{self[name].label}: {errors[0]}" for name, errors in self.errors.items() if name in self.fields]

    def _words(self, name: str) -> str:
        """Return what a field narrows to, in words; nothing when it is left open."""
        value = self.cleaned_data.get(name)
        if not value:
            return ""
        if name in WORDS:
            return WORDS[name](value, self.workspace.currency)
        choices = dict(getattr(self.fields[name], "choices", ())) if isinstance(value, str | int) else {}
        return str(choices.get(value, value))


WORDS: dict[str, Callable[[Any, str], str]] = {
    "version": lambda value, _: f"Version {value}",
    "slower": lambda value, _: f"Took at least {formats.duration(int(value * 1000))}",
    "dearer": lambda value, currency: f"Cost at least {formats.money(value, currency)}",
    "since": lambda value, _: f"From {value:%-d %b %Y %H:%M}",
    "until": lambda value, _: f"Until {value:%-d %b %Y %H:%M}",
    "key": lambda value, _: f"Key {value}",
    "error": lambda value, _: f"Error: {value.replace('_', ' ')}",
}
