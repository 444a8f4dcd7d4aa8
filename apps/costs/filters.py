"""Which charges: read from a query string, applied alike to the charges and to the rollup that totals them."""

from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django import forms

from apps.costs.models import Charge, ChargeQuerySet, Purpose, SpendDay, SpendDayQuerySet

IDS = ("prompt_id", "team_id", "version_id", "api_key_id")
TEXTS = ("provider", "model", "purpose", "environment")


class ChargeFilter(forms.Form):
    """A range of days and what else the charges must be; an id of 0 and an environment of "-" mean "none"."""

    first = forms.DateField(label="From", widget=forms.DateInput(attrs={"type": "date"}))
    last = forms.DateField(label="To", widget=forms.DateInput(attrs={"type": "date"}))
    purpose = forms.ChoiceField(choices=[("", "Any purpose"), *Purpose.choices], required=False)
    provider = forms.CharField(max_length=40, required=False)
    model = forms.CharField(max_length=120, required=False)
    environment = forms.CharField(max_length=40, required=False)
    prompt_id = forms.IntegerField(min_value=0, max_value=2**62, required=False)
    team_id = forms.IntegerField(min_value=0, max_value=2**62, required=False)
    version_id = forms.IntegerField(min_value=0, max_value=2**62, required=False)
    api_key_id = forms.IntegerField(min_value=0, max_value=2**62, required=False)

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
        """Return the conditions beside the days, as columns of the rollup."""
        values = {name: self.cleaned_data.get(name) for name in (*TEXTS, *IDS)}
        return {name: value for name, value in values.items() if value not in (None, "")}

    def days(self) -> SpendDayQuerySet:
        """Return the rollup rows of the filter: their sum is the exact total of its charges."""
        conditions = {name: "" if value == "-" else value for name, value in self.chosen.items()}
        return SpendDay.objects.within(self.cleaned_data["first"], self.cleaned_data["last"]).filter(**conditions)

    def charges(self, zone: ZoneInfo) -> ChargeQuerySet:
        """Return the charges of the filter, in no order; the days are those of the zone."""
        start = midnight(self.cleaned_data["first"], zone)
        end = midnight(self.cleaned_data["last"] + timedelta(days=1), zone)
        found = Charge.objects.between(start, end)
        for name, value in self.chosen.items():
            if name in IDS and value == 0:
                found = found.filter(**{f"{name}__isnull": True})
            else:
                found = found.filter(**{name: "" if value == "-" else value})
        return found

    def query(self) -> str:
        """Return the filter as a query string."""
        days = {"first": self.cleaned_data["first"], "last": self.cleaned_data["last"]}
        return urlencode({**days, **self.chosen})


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the first moment of a day in the zone."""
    return datetime.combine(day, time(), tzinfo=zone)


def query_for(first: date, last: date, columns: tuple[str, ...], value: tuple[Any, ...]) -> str:
    """Return the query string of the charges behind one value of an axis."""
    parts = {name: "-" if part == "" else part for name, part in zip(columns, value, strict=True)}
    return urlencode({"first": first, "last": last, **parts})
