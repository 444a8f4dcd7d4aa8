from django import forms

from apps.accounts.rights import is_environment
from apps.notices.models.webhooks import Event

TEXT = forms.TextInput(attrs={"class": "form-control"})
EVENTS = [(event.value, event.label.capitalize()) for event in Event if event != Event.PING]


class WebhookForm(forms.Form):
    """An endpoint. Without an environment named it hears of all of them."""

    name = forms.CharField(max_length=80, widget=TEXT, help_text="Who listens? “Release channel”, for example.")
    url = forms.CharField(
        max_length=500,
        label="Address",
        widget=forms.URLInput(attrs={"class": "form-control", "placeholder": "https://"}),
        help_text="JSON is sent there by POST. Redirects are not followed.",
    )
    events = forms.MultipleChoiceField(
        choices=EVENTS, widget=forms.CheckboxSelectMultiple, label="Tell it when", initial=[Event.DEPLOYED]
    )
    environments = forms.CharField(
        required=False,
        max_length=400,
        widget=TEXT,
        label="Only in these environments",
        help_text="Separated by commas: production, staging. Empty means every environment.",
    )

    def clean_environments(self) -> list[str]:
        names = [name.strip() for name in self.cleaned_data["environments"].split(",") if name.strip()]
        for name in names:
            if not is_environment(name):
                raise forms.ValidationError(f"“{name}” cannot be the name of an environment.")
        return names
