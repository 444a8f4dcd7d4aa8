from decimal import Decimal
from typing import Any

from django import forms

from apps.costs import price_units
from apps.costs.models import Price


class CorrectionForm(forms.Form):
    """What a price should have been, as people write it, and where that stands."""

    amount = forms.DecimalField(min_value=0, max_digits=16, decimal_places=6)
    reason = forms.CharField(
        max_length=180, label="Why", help_text="And where the right price is written. Kept as its source."
    )
    is_meant = forms.BooleanField(
        required=False, label="A change of more than three times, or to nothing, is meant", help_text="Asked if needed."
    )

    def __init__(self, *args: Any, price: Price, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.units = price_units.units_of(price.meter)
        self.fields["amount"].label = f"It should be, {price_units.unit_words(price.meter)}"

    @property
    def unit_price(self) -> Decimal:
        """Return what one unit should cost."""
        amount: Decimal = self.cleaned_data["amount"]
        return amount / self.units
