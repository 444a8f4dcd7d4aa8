from typing import Any
from zoneinfo import ZoneInfo

from django import forms

from apps.costs.ingest.mending import COST_MEANT, PROVIDER_TOTAL, total_of
from apps.costs.ingest.usage import DIALECTS
from apps.costs.models import BASE_METERS, Meter, Purpose, Quarantined

NAMES = ("provider", "model", "environment", "team", "customer", "prompt")
CHOSEN = (*NAMES, "purpose", "version", "dialect")
DIALECT_WORDS = {"openai": "OpenAI", "anthropic": "Anthropic", "opentelemetry": "OpenTelemetry"}
SENT, LISTED = "sent", "listed"
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
    dialect = forms.ChoiceField(
        choices=[("", "As it was sent"), *((name, DIALECT_WORDS.get(name, name)) for name in DIALECTS)],
        required=False,
        label="Whose words the usage is in",
    )
    provider_total = forms.IntegerField(
        min_value=0,
        max_value=10**12,
        required=False,
        label="The provider's own total of tokens",
        help_text="What the tokens must add up to. Empty it to book without that check.",
    )
    cost_is = forms.ChoiceField(
        choices=[("", "Choose"), (SENT, "The cost that was sent"), (LISTED, "What our price list says")],
        label="Which cost is right?",
    )
    replace_meters = forms.BooleanField(
        required=False, label="Book these tokens in place of what was sent", help_text="Each token in one field only."
    )

    def __init__(self, data: Any, *, row: Quarantined, zone: ZoneInfo, alike: int) -> None:
        self.zone = zone
        sent = {name: value for name, value in row.payload.items() if name in CHOSEN}
        sent["provider_total"] = total_of(row.payload)
        if row.at is not None:
            sent["at"] = row.at.astimezone(zone).replace(tzinfo=None, microsecond=0)
        counted = row.payload.get("meters") or {}
        super().__init__(data, initial={**sent, **{f"meter_{name}": n for name, n in counted.items()}})
        self.meters = [meter for meter in Meter if meter in BASE_METERS or meter.value in counted]
        for meter in self.meters:
            self.fields[f"meter_{meter.value}"] = forms.IntegerField(
                min_value=0, max_value=10**12, required=False, label=str(meter.label).capitalize()
            )
        self.fields["alike"] = forms.BooleanField(
            required=False,
            label=f"Put the same names right in the {alike:,} other{'' if alike == 1 else 's'} with this fault",
            help_text=(
                "Carries over provider, model, dialect, team and which cost is right, where they were sent as here. Never "
                "the tokens, the cost or the time: each charge keeps its own, and what they make wrong still waits."
            ),
        )
        self._leave_out(row, alike)

    def _leave_out(self, row: Quarantined, alike: int) -> None:
        """Ask only for what can help this charge."""
        if not alike:
            del self.fields["alike"]
        if row.reason != "cost-surprising":
            del self.fields["cost_is"]
        if "usage" not in row.payload:
            del self.fields["dialect"]
        if total_of(row.payload) is None:
            del self.fields["provider_total"]

    def changes(self) -> dict[str, Any]:
        """Return what differs from what was sent, as fields of the item."""
        data = self.cleaned_data
        found = {name: data[name] for name in self.changed_data if name in CHOSEN}
        changed: dict[str, Any] = {name: None if value in ("", None) else value for name, value in found.items()}
        if "at" in self.changed_data and data["at"]:
            changed["at"] = data["at"].replace(tzinfo=self.zone).isoformat()
        if "provider_total" in self.data and "provider_total" in self.changed_data:
            changed[PROVIDER_TOTAL] = data["provider_total"]
        if cost_is := data.get("cost_is"):
            changed |= {COST_MEANT: True} if cost_is == SENT else {"trust_cost": False}
        if data["replace_meters"]:
            counts = {meter.value: data[f"meter_{meter.value}"] for meter in self.meters}
            changed["meters"] = {name: count for name, count in counts.items() if count}
        return changed
