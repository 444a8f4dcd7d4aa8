from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, cast
from zoneinfo import ZoneInfo

from django import forms

from apps.core import formats
from apps.costs import price_units
from apps.costs.actions.prices import PriceTerms
from apps.costs.models import BASE_METERS, Meter, Tier

START = "In the workspace's time zone. Empty means from now on."


def start_field(label: str = "In force from") -> forms.DateTimeField:
    return forms.DateTimeField(
        required=False,
        label=label,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text=START,
    )


def repriced_field() -> forms.BooleanField:
    return forms.BooleanField(
        required=False,
        label="If that is in the past: price the calls since then anew",
        help_text="A booked call keeps its cost otherwise, so a price for the past is taken with re-pricing alone.",
    )


def in_zone(moment: datetime | None, zone: ZoneInfo) -> datetime | None:
    """Read what was typed as the workspace's own time."""
    return moment.replace(tzinfo=zone) if moment else None


class PriceForm(forms.Form):
    """Prices of a model as people write them: per million tokens (tools per thousand uses), from a day on."""

    provider = forms.CharField(max_length=40)
    model = forms.CharField(max_length=120, help_text="The name as the provider spells it.")
    tier = forms.ChoiceField(choices=Tier.choices, required=False, initial=Tier.STANDARD)
    region = forms.CharField(
        max_length=20, required=False, help_text="Only for a price of one region, as the provider names it: us."
    )
    connection_id = forms.TypedChoiceField(
        required=False,
        label="Negotiated for",
        coerce=int,
        empty_value=None,
        help_text="A price that holds for one connection alone goes before the list price.",
    )
    above_input_tokens = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=100_000_000,
        label="Only for requests above this many input tokens",
    )
    valid_from = start_field()
    reprices = repriced_field()
    is_meant = forms.BooleanField(
        required=False, label="A change of more than three times, or to nothing, is meant", help_text="Asked if needed."
    )
    source = forms.CharField(max_length=200, help_text="Where the price is written: a contract, a page, an e-mail.")

    def __init__(
        self, *args: Any, connections: dict[int, str], standing: Mapping[str, Decimal] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        known = standing or {}
        choices = [("", "Every connection (list price)"), *((str(pk), name) for pk, name in connections.items())]
        cast(forms.TypedChoiceField, self.fields["connection_id"]).choices = choices
        for meter in Meter:
            self.fields[meter.value] = forms.DecimalField(
                required=False,
                min_value=0,
                max_value=Decimal(1_000) * price_units.units_of(meter),
                max_digits=16,
                decimal_places=6,
                label=str(meter.label).capitalize(),
                help_text=f"Now {formats.number(known[meter].normalize())}" if known.get(meter) else "",
            )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.errors and not self.unit_prices():
            raise forms.ValidationError("Write at least one price.")
        return data

    def common(self) -> list[forms.BoundField]:
        return [self[meter.value] for meter in BASE_METERS]

    def rare(self) -> list[forms.BoundField]:
        return [self[meter.value] for meter in Meter if meter not in BASE_METERS and not meter.is_fee]

    def fees(self) -> list[forms.BoundField]:
        return [self[meter.value] for meter in Meter if meter.is_fee]

    def unit_prices(self) -> dict[Meter, Decimal]:
        """Return the prices that were written, for one unit."""
        written = {meter: self.cleaned_data.get(meter.value) for meter in Meter}
        return {meter: price / price_units.units_of(meter) for meter, price in written.items() if price is not None}

    def values(self, zone: ZoneInfo) -> dict[str, Any]:
        """Return what `actions.add_prices` takes; the moment is read in the zone."""
        data = self.cleaned_data
        terms = PriceTerms(
            provider=data["provider"],
            model=data["model"],
            tier=Tier(data["tier"] or Tier.STANDARD),
            region=data["region"],
            connection_id=data["connection_id"],
            above_input_tokens=data["above_input_tokens"] or 0,
        )
        return {
            "terms": terms,
            "unit_prices": self.unit_prices(),
            "valid_from": in_zone(data["valid_from"], zone),
            "source": data["source"],
            "is_meant": data["is_meant"],
            "reprices": data["reprices"],
        }


class UploadForm(forms.Form):
    """A price list from a file."""

    file = forms.FileField(label="A file", required=False, help_text="CSV or JSON in UTF-8, at most 1 MB.")
    content = forms.CharField(
        label="Or its text, pasted",
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false"}),
    )
    valid_from = start_field()

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        upload = data.get("file")
        if upload and upload.size > 1024 * 1024:
            self.add_error("file", "The file is over 1 MB.")
        elif upload:
            try:
                data["content"] = upload.read().decode("utf-8-sig")
            except UnicodeDecodeError:
                self.add_error("file", "This file is not UTF-8 text.")
        elif not data.get("content"):
            self.add_error(None, "Choose a file or paste its text: one of the two is needed.")
        return data

    @property
    def name(self) -> str:
        upload = self.cleaned_data.get("file")
        return str(upload.name) if upload else "pasted"


class ApprovalForm(forms.Form):
    """From when the chosen prices of a proposal hold."""

    valid_from = start_field()
    reprices = repriced_field()


class RepricingForm(forms.Form):
    """Which calls to price anew, and why."""

    first = forms.DateField(label="From", widget=forms.DateInput(attrs={"type": "date"}))
    last = forms.DateField(label="To", widget=forms.DateInput(attrs={"type": "date"}))
    model = forms.ChoiceField(required=False)
    only_unpriced = forms.BooleanField(required=False, label="Only calls without a price")
    reason = forms.CharField(max_length=500, required=False, label="Why", help_text="Kept in the audit log.")

    def __init__(self, *args: Any, models: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        named = [(f"{provider}/{model}", f"{model} ({provider})") for provider, model in models]
        cast(forms.ChoiceField, self.fields["model"]).choices = [("", "Every model"), *named]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        first, last = data.get("first"), data.get("last")
        if first and last and not 2000 <= first.year <= last.year <= 2200:
            self.add_error("first", "The books hold the years 2000 to 2200.")
        if first and last and last < first:
            self.add_error("last", "The period ends before it begins.")
        return data

    def scope(self) -> dict[str, Any]:
        """Return which calls are meant."""
        data = self.cleaned_data
        provider, _, model = data["model"].partition("/")
        return {
            "first": data["first"],
            "last": data["last"],
            "provider": provider,
            "model": model,
            "only_unpriced": data["only_unpriced"],
        }
