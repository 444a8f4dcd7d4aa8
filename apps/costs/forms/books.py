from typing import Any

from django import forms


class RetentionForm(forms.Form):
    """For how long charges are kept, and why that changes."""

    keep = forms.ChoiceField(
        label="Keep charges", choices=[("always", "For ever"), ("months", "For whole months")], widget=forms.RadioSelect
    )
    months = forms.IntegerField(label="Months", min_value=1, max_value=600, required=False)
    reason = forms.CharField(label="Why", max_length=500, required=False)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("keep") == "months" and cleaned.get("months") is None and "months" not in self.errors:
            self.add_error("months", "Say how many months.")
        return cleaned

    @property
    def chosen(self) -> int | None:
        """Return how many months are kept; None is for ever."""
        return self.cleaned_data["months"] if self.cleaned_data["keep"] == "months" else None
