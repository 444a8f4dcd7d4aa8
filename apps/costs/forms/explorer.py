from datetime import date
from typing import Any
from urllib.parse import urlencode

from django import forms

from apps.costs.spend import AXES, Axis

MOST_DAYS = 1_100
CHOICES = [(axis.name, axis.label) for axis in AXES.values()]


class ExplorerForm(forms.Form):
    """Two dimensions and a range of days."""

    rows = forms.ChoiceField(label="Rows", choices=CHOICES)
    columns = forms.ChoiceField(label="Columns", choices=CHOICES)
    first = forms.DateField(label="From", widget=forms.DateInput(attrs={"type": "date"}))
    last = forms.DateField(label="To", widget=forms.DateInput(attrs={"type": "date"}))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        first, last = cleaned.get("first"), cleaned.get("last")
        if first and last and not 0 <= (last - first).days <= MOST_DAYS:
            self.add_error("last", f"The range must hold 1 to {MOST_DAYS:,} days.")
        if any(day and not 2000 <= day.year <= 2200 for day in (first, last)):
            self.add_error("first", "The books hold the years 2000 to 2200.")
        if cleaned.get("rows") and cleaned.get("rows") == cleaned.get("columns"):
            self.add_error("columns", "Choose another dimension than that of the rows.")
        return cleaned

    def question(self) -> tuple[Axis, Axis, date, date]:
        asked = self.cleaned_data
        return AXES[asked["rows"]], AXES[asked["columns"]], asked["first"], asked["last"]

    def query(self, **other: Any) -> str:
        """Return the question as a query string, so that its address can be shared."""
        return urlencode({**{name: self.cleaned_data[name] for name in self.fields}, **other})
