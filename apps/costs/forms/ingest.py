from typing import Any
from zoneinfo import ZoneInfo

from django import forms

from apps.costs.models import BASE_METERS, Purpose, Quarantined

NAMES = ("provider", "model", "environment", "team", "customer", "prompt")
MOMENT = "%Y-%m-%dT%H:%M:%S"


class SheetForm(forms.Form):
    """A sheet of charges and what its source is called."""

    source = forms.CharField(
        max_length=40,
        label="Source",
        help_text="Where these charges come from, like “openai batch”. A line sent twice under one name counts once.",
    )
    file = forms.FileField(
        label="CSV file",
        help_text="Comma, semicolon or tab; UTF-8. Up to 20,000 lines or 8 MB. Nothing is booked before you have seen it.",
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,text/csv,text/plain"}),
    )


class MendForm(forms.Form):
    """What may be put right on a charge that was set aside. Empty fields leave what was sent as it is."""

    at = forms.DateTimeField(
        required=False,
        label="When the call was",
        input_formats=[MOMENT, "%Y-%m-%dT%H:%M"],
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"}, format=MOMENT),
    )
    provider = forms.CharField(max_length=40, required=False)
    model = forms.CharField(max_length=120, required=False, help_text="As the price list spells it.")
    purpose = forms.ChoiceField(choices=[("", "As it was sent"), *Purpose.choices], required=False)
    environment = forms.CharField(max_length=40, required=False)
    team = forms.CharField(max_length=80, required=False)
    customer = forms.CharField(max_length=120, required=False)
    prompt = forms.CharField(max_length=255, required=False, help_text="Its name.")
    version = forms.IntegerField(min_value=0, max_value=2**31 - 1, required=False)
    replace_meters = forms.BooleanField(
        required=False, label="Book these tokens in place of what was sent", help_text="Each token in one field only."
    )

    def __init__(self, data: Any, *, row: Quarantined, zone: ZoneInfo, alike: int) -> None:
        self.zone = zone
        sent = {name: value for name, value in row.payload.items() if name in (*NAMES, "purpose", "version")}
        if row.at is not None:
            sent["at"] = row.at.astimezone(zone).replace(tzinfo=None, microsecond=0)
        counted = row.payload.get("meters") or {}
        super().__init__(data, initial={**sent, **{f"meter_{name}": n for name, n in counted.items()}})
        for meter in BASE_METERS:
            self.fields[f"meter_{meter.value}"] = forms.IntegerField(
                min_value=0, max_value=10**12, required=False, label=str(meter.label).capitalize()
            )
        self.fields["alike"] = forms.BooleanField(
            required=False,
            label=f"Put the same names right in the {alike:,} other{'' if alike == 1 else 's'} with this fault",
            help_text=(
                "Carries over provider, model and team, where they were sent as here. Never the tokens, the cost or the "
                "time: each charge keeps its own, and what they make wrong still waits."
            ),
        )
        if not alike:
            del self.fields["alike"]

    def changes(self) -> dict[str, Any]:
        """Return what differs from what was sent, as fields of the item."""
        data = self.cleaned_data
        found = {name: data[name] for name in self.changed_data if name in (*NAMES, "purpose", "version")}
        changed: dict[str, Any] = {name: None if value in ("", None) else value for name, value in found.items()}
        if "at" in self.changed_data and data["at"]:
            changed["at"] = data["at"].replace(tzinfo=self.zone).isoformat()
        if data["replace_meters"]:
            counts = {meter.value: data[f"meter_{meter.value}"] for meter in BASE_METERS}
            changed["meters"] = {name: count for name, count in counts.items() if count}
        return changed
