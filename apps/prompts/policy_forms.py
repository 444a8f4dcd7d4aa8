"""The form of an environment's policy: rules as questions people can answer. What is met by nobody the action refuses."""

import re
from collections.abc import Iterable
from datetime import time
from typing import Any

from django import forms
from django.http import QueryDict

from apps.accounts.models import Workspace
from apps.accounts.rights import Right
from apps.core.errors import DomainError
from apps.prompts import rules
from apps.prompts.freezes import DAY_MINUTES, DAYS, Dated, Weekly
from apps.prompts.models import Environment

MOST_ROWS = 20
DAY_CHOICES = list(enumerate(DAYS))
SELECT = forms.Select(attrs={"class": "form-select"})
TIME = forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
MOMENT = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")


class NameForm(forms.Form):
    name = forms.CharField(
        max_length=40,
        widget=forms.TextInput(attrs={"class": "form-control", "placeholder": "canary", "autocomplete": "off"}),
        help_text="Small letters, digits, - and _. Programs fetch by this name.",
    )


class WeeklyForm(forms.Form):
    """A window that comes every week. Without times the row is not there."""

    from_day = forms.TypedChoiceField(choices=DAY_CHOICES, coerce=int, initial=4, widget=SELECT, required=False)
    from_time = forms.TimeField(required=False, widget=TIME)
    to_day = forms.TypedChoiceField(choices=DAY_CHOICES, coerce=int, initial=0, widget=SELECT, required=False)
    to_time = forms.TimeField(required=False, widget=TIME)

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if (found.get("from_time") is None) != (found.get("to_time") is None):
            raise forms.ValidationError("A weekly freeze needs both times; clear both to remove it.")
        return found

    @property
    def window(self) -> Weekly | None:
        found = self.cleaned_data
        if found.get("from_time") is None:
            return None
        return Weekly(
            _minute(found["from_day"] or 0, found["from_time"]), _minute(found["to_day"] or 0, found["to_time"])
        )


def _minute(day: int, at: time) -> int:
    return int(day) * DAY_MINUTES + at.hour * 60 + at.minute


class DatedForm(forms.Form):
    """A window that comes once. Without dates the row is not there."""

    start = forms.DateTimeField(required=False, widget=MOMENT, label="From")
    end = forms.DateTimeField(required=False, widget=MOMENT, label="Until")
    reason = forms.CharField(
        max_length=200, required=False, label="Why", widget=forms.TextInput(attrs={"placeholder": "Why?"})
    )

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if (found.get("start") is None) != (found.get("end") is None):
            raise forms.ValidationError("A dated freeze needs a start and an end; clear both to remove it.")
        return found

    @property
    def window(self) -> Dated | None:
        found = self.cleaned_data
        return None if found.get("start") is None else Dated(found["start"], found["end"], found["reason"].strip())


class PolicyForm(forms.Form):
    """Everything an environment asks for, its freezes as rows of their own."""

    who = forms.ChoiceField(
        choices=[("all", "Everybody who may publish here"), ("named", "Only those named below")],
        required=False,
        widget=forms.RadioSelect,
        label="Who may promote?",
    )
    members = forms.TypedMultipleChoiceField(
        coerce=int, required=False, widget=forms.CheckboxSelectMultiple, label="People"
    )
    teams = forms.TypedMultipleChoiceField(
        coerce=int, required=False, widget=forms.CheckboxSelectMultiple, label="Teams, with their API keys"
    )
    approvals = forms.IntegerField(min_value=0, max_value=10, label="How many approvals are needed?")
    self_approval = forms.BooleanField(required=False, label="People may approve their own requests")
    checks = forms.MultipleChoiceField(
        choices=[
            ("tests", "Tests must pass"),
            ("people", "People must not prefer what is live"),
            ("spend", "Spend: over a limit, somebody who manages budgets approves"),
        ],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Evidence",
    )
    others = forms.CharField(
        max_length=800,
        required=False,
        label="Other checks",
        help_text="Names that your own programs report by API key, separated by commas: legal, load-test.",
    )
    spend_amount = forms.DecimalField(
        min_value=0, max_digits=12, decimal_places=2, required=False, label="More than this a month"
    )
    spend_percent = forms.DecimalField(
        min_value=0, max_digits=7, decimal_places=1, required=False, label="Or more than this many percent"
    )
    max_age_hours = forms.IntegerField(
        min_value=1,
        required=False,
        label="Evidence may be this many hours old",
        help_text="Empty: as long as it is about the same text. 72 hours are three days.",
    )
    previous = forms.BooleanField(required=False, label="The same text must have been live in the environment before")
    previous_hours = forms.IntegerField(min_value=0, required=False, label="For at least this many hours")

    def __init__(self, data: QueryDict | None = None, *, environment: Environment) -> None:
        asked = environment.rules
        super().__init__(data, initial=_initial(environment))
        self.environment = environment
        self.fields["members"].choices = _members(environment.workspace, asked.members)  # type: ignore[attr-defined]
        teams = environment.workspace.teams.order_by("name", "id").values_list("pk", "name")
        self.fields["teams"].choices = list(teams)  # type: ignore[attr-defined]
        self.before = environment.workspace.environments.before(environment)
        if self.before is None:
            del self.fields["previous"], self.fields["previous_hours"]
        else:
            self.fields["previous"].label = f"The same text must have been live in {self.before.name}"
        self.weekly = _rows(WeeklyForm, data, "weekly", [_of_weekly(one) for one in asked.weekly])
        self.dated = _rows(DatedForm, data, "dated", [_of_dated(one) for one in asked.dated])

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        for row in (*self.weekly, *self.dated):
            if not row.is_valid():
                for error in (text for texts in row.errors.values() for text in texts):
                    self.add_error(None, str(error))
        if found.get("who") == "named" and not (found.get("members") or found.get("teams")):
            self.add_error("who", "Name at least one person or team, or let all publishers in.")
        return found

    def asked(self) -> dict[str, Any]:
        """Return the parts of the rules as `update_policy` takes them."""
        found = self.cleaned_data
        named = found.get("who") == "named"
        others = [name.strip() for name in found["others"].split(",") if name.strip()]
        asked: dict[str, Any] = {
            "approvals": found["approvals"],
            "self_approval": found["self_approval"],
            "checks": [*found["checks"], *others],
            "members": found["members"] if named else [],
            "teams": found["teams"] if named else [],
            "max_age_hours": found["max_age_hours"],
            "spend_amount": found["spend_amount"],
            "spend_percent": found["spend_percent"],
            "weekly": [row.window for row in self.weekly if row.window],
            "dated": [row.window for row in self.dated if row.window],
        }
        # Without an environment before nothing can be asked of it, so what was asked once goes.
        wants = self.before is not None and found["previous"]
        asked["previous_hours"] = (found["previous_hours"] or 0) if wants else None
        return asked

    def wanted(self) -> rules.Rules:
        """Return the rules as they would be. Raises DomainError for what `rules.check` refuses."""
        wanted = self.environment.rules.with_(**self.asked())
        rules.check(wanted)
        return wanted

    def add_refusal(self, error: DomainError) -> None:
        self.add_error(None, error.message)


def _initial(environment: Environment) -> dict[str, Any]:
    asked = environment.rules
    return {
        "who": "named" if asked.names_promoters else "all",
        "members": list(asked.members),
        "teams": list(asked.teams),
        "approvals": asked.approvals,
        "self_approval": asked.self_approval,
        "checks": [name for name in asked.checks if name in rules.BUILT_IN],
        "others": ", ".join(name for name in asked.checks if name not in rules.BUILT_IN),
        "spend_amount": asked.spend_amount,
        "spend_percent": asked.spend_percent,
        "max_age_hours": asked.max_age_hours,
        "previous": asked.previous_hours is not None,
        "previous_hours": asked.previous_hours or None,
    }


def _members(workspace: Workspace, named: Iterable[int]) -> list[tuple[int, str]]:
    """Return those who may publish somewhere, and who is named already."""
    everybody = workspace.memberships.by_name()
    able = set(workspace.memberships.with_right(Right.PROMOTE).values_list("user_id", flat=True)) | set(named)
    return [(member.user_id, str(member.user)) for member in everybody if member.user_id in able]


def _of_weekly(one: Weekly) -> dict[str, Any]:
    start, end = divmod(one.start, DAY_MINUTES), divmod(one.end, DAY_MINUTES)
    return {
        "from_day": start[0],
        "from_time": time(*divmod(start[1], 60)),
        "to_day": end[0],
        "to_time": time(*divmod(end[1], 60)),
    }


def _of_dated(one: Dated) -> dict[str, Any]:
    return {"start": one.start, "end": one.end, "reason": one.reason}


def _rows(kind: type[Any], data: QueryDict | None, name: str, kept: list[dict[str, Any]]) -> list[Any]:
    """Return a form for each row: those that were sent, or those that are kept and an empty one."""
    if data is None:
        rows = [*kept, {}][:MOST_ROWS]
        return [kind(prefix=f"{name}-{number}", initial=row) for number, row in enumerate(rows)]
    sent = {int(found[1]) for key in data if (found := re.fullmatch(rf"{name}-(\d{{1,3}})-\w+", key))}
    return [kind(data, prefix=f"{name}-{number}") for number in sorted(sent)[:MOST_ROWS]]
