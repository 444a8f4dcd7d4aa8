from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django import forms

from apps.costs.models import Meter

MILLION = Decimal(1_000_000)


class PriceForm(forms.Form):
    """A price as people write it: per million tokens, from a day on."""

    provider = forms.CharField(max_length=40)
    model = forms.CharField(max_length=120, help_text="The name as the provider spells it.")
    meter = forms.ChoiceField(choices=Meter.choices, label="For")
    per_million = forms.DecimalField(
        min_value=0, max_value=100_000_000, max_digits=15, decimal_places=6, label="Price per million tokens"
    )
    valid_from = forms.DateTimeField(
        required=False,
        label="In force from",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
        help_text="In the workspace's time zone. Empty means from now on.",
    )
    source = forms.CharField(max_length=200, help_text="Where the price is written: a contract, a page, an e-mail.")

    def values(self, zone: ZoneInfo) -> dict[str, Any]:
        """Return what `actions.add_price` takes; the moment is read in the zone."""
        data = dict(self.cleaned_data)
        begins = data["valid_from"]
        return {
            "provider": data["provider"],
            "model": data["model"],
            "meter": Meter(data["meter"]),
            "unit_price": data["per_million"] / MILLION,
            "valid_from": begins.replace(tzinfo=zone) if begins else None,
            "source": data["source"],
        }
