"""How admins say what is kept."""

from typing import Any

from django import forms
from django.http import QueryDict

from apps.llm import retention
from apps.llm.actions.keeping import LONGEST_DAYS, LONGEST_REUSE
from apps.llm.models import BodyPolicy


class KeepingForm(forms.Form):
    """What is kept of calls. Taking away what is stored already must be meant: `sure` is asked for only then."""

    kept = forms.ChoiceField(label="Keep of each call", choices=BodyPolicy.Kept.choices, widget=forms.RadioSelect)
    days = forms.IntegerField(
        label="For how many days",
        required=False,
        min_value=1,
        max_value=LONGEST_DAYS,
        help_text="Older texts and fingerprints are deleted. Empty: they stay for as long as the call does.",
    )
    reuse_hours = forms.IntegerField(
        label="Use answers again for how many hours",
        min_value=0,
        max_value=LONGEST_REUSE,
        help_text="When exactly the same is asked again within that time, the answer that was bought serves again, "
        "free of charge. 0: never.",
    )
    sure = forms.BooleanField(label="Take away for good what is stored and no longer to be kept", required=False)

    def __init__(self, data: QueryDict | None, *, policy: BodyPolicy) -> None:
        super().__init__(data, initial={name: getattr(policy, name) for name in ("kept", "days", "reuse_hours")})
        self.policy = policy
        self.is_asking = False

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if self.errors:
            return cleaned
        takes_away = retention.is_stricter(self.policy, kept=cleaned["kept"], days=cleaned["days"])
        if takes_away and not cleaned.pop("sure", False):
            self.is_asking = True
            self.add_error("sure", "This cannot be undone, so say that you mean it.")
        cleaned.pop("sure", None)
        return cleaned
