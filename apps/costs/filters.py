"""Which charges: read from a query string, applied alike to the charges and to the sums that total them."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import reduce
from operator import or_
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django import forms
from django.db.models import Count, Max, Min, Q, Sum, Value
from django.db.models.functions import Coalesce

from apps.accounts.models import Workspace
from apps.costs import spend
from apps.costs.models import AxisName, Charge, ChargeQuerySet, Purpose, SpendAxis, SpendDay
from apps.costs.spend import AXES, Axis, Proof

IDS = ("prompt_id", "team_id", "version_id", "api_key_id", "user_id")
TEXTS = ("provider", "model", "purpose", "environment", "customer", "source")
NOT_SUMMED_BY_DAY = frozenset({"user_id", "customer", "source"})
# What a charge is, as a condition on its columns; what of it the sums by day know is in SUMMED.
FLAGS = {
    "unpriced": Q(unpriced=True),
    "estimated": Q(estimated=True),
    "failed": Q(failed=True),
    "reused": Q(saved__gt=0),
    "corrections": Q(corrects__isnull=False),
}
FLAG_LABELS = {
    "unpriced": "Unpriced",
    "estimated": "Estimated",
    "failed": "Failed",
    "reused": "Answered from kept answers",
    "corrections": "Corrections",
}
SUMMED = {"unpriced": "unpriced_calls", "failed": "failed_calls", "reused": "saved"}
# More charges than this are not added up while somebody waits; the sums by day answer for any number.
MOST_ADDED = 1_000_000


@dataclass(frozen=True)
class Within:
    """The days, first and last included, between which all charges of a filter lie."""

    first: date
    last: date


class ChargeFilter(forms.Form):
    """A range of days and what else the charges must be; an id of 0 and a name of "-" mean "none"."""

    first = forms.DateField(label="From", widget=forms.DateInput(attrs={"type": "date"}))
    last = forms.DateField(label="To", widget=forms.DateInput(attrs={"type": "date"}))
    purpose = forms.ChoiceField(choices=[("", "Any purpose"), *Purpose.choices], required=False)
    provider = forms.CharField(max_length=40, required=False, strip=False)
    model = forms.CharField(max_length=120, required=False, strip=False)
    environment = forms.CharField(max_length=40, required=False, strip=False)
    customer = forms.CharField(max_length=120, required=False, strip=False)
    source = forms.CharField(max_length=40, required=False, strip=False)
    prompt_id = forms.IntegerField(min_value=0, max_value=2**62, required=False)
    team_id = forms.IntegerField(min_value=0, max_value=2**62, required=False)
    version_id = forms.IntegerField(min_value=0, max_value=2**62, required=False)
    api_key_id = forms.IntegerField(min_value=0, max_value=2**62, required=False)
    user_id = forms.IntegerField(min_value=0, max_value=2**62, required=False)
    only = forms.MultipleChoiceField(choices=[("", "Any charge"), *FLAG_LABELS.items()], required=False)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        first, last = cleaned.get("first"), cleaned.get("last")
        if first and last and last < first:
            self.add_error("last", "The range ends before it begins.")
        if any(day and not 2000 <= day.year <= 2200 for day in (first, last)):
            self.add_error("first", "The books hold the years 2000 to 2200.")
        return cleaned

    @property
    def chosen(self) -> dict[str, Any]:
        """Return the conditions beside the days, as columns of a charge."""
        values = {name: self.cleaned_data.get(name) for name in (*TEXTS, *IDS)}
        return {name: value for name, value in values.items() if value not in (None, "")}

    @property
    def flags(self) -> list[str]:
        return [str(flag) for flag in self.cleaned_data["only"] if flag]

    @property
    def flag_words(self) -> list[tuple[str, str]]:
        return [(flag, FLAG_LABELS[flag]) for flag in self.flags]

    def within(self, workspace: Workspace) -> Within | None:
        """Return the days between which charges like these were booked; None when there are none.

        The sums by day know, so that nobody reads the charges of a month for what happened on one day of it.
        """
        first, last = self.cleaned_data["first"], self.cleaned_data["last"]
        keys = self._keys()
        asked = reduce(or_, (key for _, key in keys))
        days = SpendAxis.objects.filter(asked, workspace_id=workspace.pk).within(first, last)
        # A day counts when each of the conditions is met on it.
        met = days.values("day").annotate(n=Count("axis", distinct=True)).filter(n=len({axis for axis, _ in keys}))
        span = met.aggregate(first=Min("day"), last=Max("day"))
        return Within(span["first"], span["last"]) if span["first"] else None

    def _keys(self) -> list[tuple[AxisName, Q]]:
        """Return which sums by one dimension the conditions speak of; the total stands for those that none knows."""
        columns = {axis.columns[-1]: axis for axis in AXES.values()}
        axes = [(columns[name], value) for name, value in self.chosen.items() if name in columns]
        known = {f"{SUMMED[flag]}__gt": 0 for flag in self.flags if flag in SUMMED}
        total = (AxisName.ALL, Q(axis=AxisName.ALL, **known))
        return [*((axis.sums, _key(axis, value)) for axis, value in axes), total]

    def charges(self, workspace: Workspace, days: Within | None) -> ChargeQuerySet:
        """Return the charges of the filter, in no order; `days` is what `within` says."""
        if days is None:
            return Charge.objects.none()
        start, end = (midnight(day, workspace.zone) for day in (days.first, days.last + timedelta(days=1)))
        found = Charge.objects.filter(workspace_id=workspace.pk).between(start, end)
        for name, value in self.chosen.items():
            if name in IDS and value == 0:
                found = found.filter(**{f"{name}__isnull": True})
            else:
                found = found.filter(**{name: "" if value == "-" else value})
        for flag in self.flags:
            found = found.filter(FLAGS[flag])
        return found

    def total(self, workspace: Workspace, days: Within | None) -> Proof | None:
        """Return the exact total of the charges and what of it no team has: from the smallest sums that know all conditions, or from the charges.

        None when only the charges know and they are too many to be added up while somebody waits.
        """
        if days is None:
            return Proof()
        if self.flags or "source" in self.chosen:
            return self._added_up(workspace, days)
        alone = _alone(self.chosen)
        if alone is None and NOT_SUMMED_BY_DAY & set(self.chosen):
            return self._added_up(workspace, days)
        values = {name: "" if value == "-" else value for name, value in self.chosen.items()}
        by_days = SpendDay.objects.of(workspace.pk).within(days.first, days.last)
        by_axis = SpendAxis.objects.filter(workspace_id=workspace.pk).within(days.first, days.last)
        sums = spend.sums_of(by_days.filter(**values) if alone is None else by_axis.filter(alone))
        nobodys = spend.ZERO
        if not self.chosen:
            nobodys = spend.sums_of(by_axis.filter(axis=AxisName.TEAM, value="0")).cost
        elif not {"team_id", *NOT_SUMMED_BY_DAY} & set(self.chosen):
            nobodys = spend.sums_of(by_days.filter(**values, team_id=0)).cost
        return Proof(**vars(sums), unattributed_cost=nobodys)

    def _added_up(self, workspace: Workspace, days: Within) -> Proof | None:
        if spend.proof(workspace.pk, days.first, days.last).calls > MOST_ADDED:
            return None
        nothing = Value(spend.ZERO)
        found = self.charges(workspace, days).aggregate(
            sum_calls=Sum("calls", default=0),
            sum_unpriced_calls=Sum("calls", filter=Q(unpriced=True), default=0),
            sum_cost=Sum(Coalesce("cost", nothing), default=spend.ZERO),
            sum_failed_calls=Sum("calls", filter=Q(failed=True), default=0),
            sum_estimated_cost=Sum(Coalesce("cost", nothing), filter=Q(estimated=True), default=spend.ZERO),
            sum_saved=Sum("saved", default=spend.ZERO),
            sum_unattributed_cost=Sum(Coalesce("cost", nothing), filter=Q(team_id=None), default=spend.ZERO),
        )
        return Proof(**{name.removeprefix("sum_"): value for name, value in found.items()})

    def query(self, *, without: str = "") -> str:
        """Return the filter as a query string, or with one condition less."""
        days = {"first": self.cleaned_data["first"], "last": self.cleaned_data["last"]}
        chosen = {name: value for name, value in self.chosen.items() if name != without}
        return urlencode({**days, **chosen, "only": [flag for flag in self.flags if flag != without]}, doseq=True)


def _key(axis: Axis, value: Any) -> Q:
    return Q(axis=axis.sums, value="" if value == "-" else str(value))


def _alone(chosen: dict[str, Any]) -> Q | None:
    """Return where the sums by these conditions alone are kept, if they are."""
    if not chosen:
        return Q(axis=AxisName.ALL)
    for axis in AXES.values():
        if set(chosen) == set(axis.columns) or set(chosen) == {axis.columns[-1]}:
            key = _key(axis, chosen[axis.columns[-1]])
            return key & Q(parent=str(chosen[axis.columns[0]])) if len(chosen) == 2 else key
    return None


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the first moment of a day in the zone."""
    return datetime.combine(day, time(), tzinfo=zone)


def query_for(first: date, last: date, columns: tuple[str, ...], value: tuple[Any, ...], only: str = "") -> str:
    """Return the query string of the charges behind one value of an axis."""
    parts = {name: "-" if part == "" else part for name, part in zip(columns, value, strict=True)}
    return urlencode({"first": first, "last": last, **parts, **({"only": only} if only else {})})
