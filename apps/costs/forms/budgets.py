from decimal import Decimal
from typing import Any

from django import forms

from apps.accounts.models import User, Workspace
from apps.costs.budgets import words
from apps.costs.models import Budget

IDS = ("team_id", "api_key_id", "prompt_id", "version_id")
OWNER_HELP = "Is told along with finance, and named when a call is refused."
ANY = {
    "team_id": "Any team",
    "api_key_id": "Any API key",
    "prompt_id": "Any prompt",
    "version_id": "Any version",
    "purpose": "Any purpose",
    "environment": "Any environment",
    "provider": "Any provider",
    "model": "Any model",
    "customer": "Any customer",
}


class BudgetTermsForm(forms.Form):
    """What may be changed of a budget: how much, how strictly, and who is told."""

    name = forms.CharField(max_length=120)
    limit_amount = forms.DecimalField(
        min_value=0, max_value=10_000_000, max_digits=12, decimal_places=4, label="Limit for each period"
    )
    mode = forms.ChoiceField(
        choices=Budget.Mode.choices,
        label="When it is used up",
        widget=forms.RadioSelect,
        help_text="To refuse, room is held for each call before it is sent, so calls through here never pass the limit by a "
        "cent, from a second after it is saved on. Charges that are sent in from elsewhere are counted and cannot be refused.",
    )
    thresholds = forms.CharField(
        max_length=60,
        required=False,
        label="Warn at",
        help_text="Shares of the limit in percent, with commas. Each is told once in a period.",
    )
    forecast_thresholds = forms.CharField(
        max_length=60,
        required=False,
        label="Warn when it is expected to reach",
        help_text="The same of what the period will come to if the days go on as they did. Empty for no such warning.",
    )

    def __init__(self, *args: Any, workspace: Workspace, **options: Any) -> None:
        super().__init__(*args, **options)
        self.people: dict[str, User] = {
            str(member.user_id): member.user for member in workspace.memberships.by_name().filter(user__is_active=True)
        }
        names = [(pk, f"{user} ({user.email})" if user.name else user.email) for pk, user in self.people.items()]
        self.fields["owner"] = forms.ChoiceField(required=False, choices=[("", "Nobody"), *names], help_text=OWNER_HELP)

    def clean_thresholds(self) -> list[int]:
        return self._shares("thresholds")

    def clean_forecast_thresholds(self) -> list[int]:
        return self._shares("forecast_thresholds")

    def _shares(self, name: str) -> list[int]:
        parts = [part.strip(" %\u00a0") for part in self.cleaned_data[name].split(",")]
        shares = [part for part in parts if part]
        if not all(part.isascii() and part.isdigit() and 1 <= int(part) <= 1000 for part in shares) or len(shares) > 10:
            raise forms.ValidationError("Write up to ten whole percentages between 1 and 1000, like 50, 80, 100.")
        return sorted({int(part) for part in shares})

    def terms(self) -> dict[str, Any]:
        """Return what the actions take."""
        names = ("name", "mode", "limit_amount", "thresholds", "forecast_thresholds")
        found = {name: self.cleaned_data[name] for name in names}
        return {**found, "owner": self.people.get(self.cleaned_data["owner"])}


class BudgetForm(BudgetTermsForm):
    """A new budget: what it covers and its calendar too, which never change afterwards."""

    period = forms.ChoiceField(choices=Budget.Period.choices, initial=Budget.Period.MONTH, label="Begins anew every")

    COVERS = Budget.CONDITIONS

    def __init__(
        self, *args: Any, workspace: Workspace, offered: dict[str, list[words.Choice]], **options: Any
    ) -> None:
        super().__init__(*args, workspace=workspace, **options)
        for name in self.COVERS:
            self.fields[name] = forms.ChoiceField(
                required=False, label=words.LABELS[name], choices=[("", ANY[name]), *offered[name]]
            )

    @property
    def covers(self) -> list[forms.BoundField]:
        return [self[name] for name in self.COVERS]

    def conditions(self) -> dict[str, int | str]:
        """Return the conditions that were chosen."""
        chosen = {name: self.cleaned_data.get(name) for name in self.COVERS}
        return {name: int(value) if name in IDS else value for name, value in chosen.items() if value}


class PreviewForm(BudgetForm):
    """As much of a budget as its preview needs; the rest may not be written yet."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for name in ("name", "mode"):
            self.fields[name].required = False

    @property
    def limit(self) -> Decimal:
        return Decimal(self.cleaned_data["limit_amount"])
