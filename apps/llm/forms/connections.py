"""The shapes of what people enter about connections."""

from typing import Any

from django import forms

from apps.llm.dialects import DIALECTS
from apps.llm.models import Connection


class KeyField(forms.CharField):
    """A secret to type: never filled in again, never remembered by the browser."""

    def __init__(self, **options: Any) -> None:
        widget = forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false"}, render_value=False)
        super().__init__(max_length=4000, widget=widget, **options)


class ConnectionForm(forms.Form):
    """A new connection. An empty address or price name means the usual one of the kind."""

    is_new = True

    kind = forms.ChoiceField(label="Speaks", choices=Connection.Kind.choices)
    name = forms.CharField(max_length=80, help_text="How people here call it, such as “OpenAI, support budget”.")
    base_url = forms.CharField(
        label="Address",
        max_length=300,
        required=False,
        help_text="Leave empty for the provider's own address. Other servers that speak OpenAI's language need it.",
    )
    key = KeyField(
        label="Key",
        required=False,
        help_text="Stored encrypted, and never shown again. A server of your own may need none.",
    )
    provider = forms.CharField(
        label="Price list",
        max_length=40,
        required=False,
        help_text="The provider name that its prices are kept under. Empty: the same as what it speaks.",
    )
    max_concurrency = forms.IntegerField(
        label="Calls at once",
        min_value=1,
        max_value=1000,
        initial=32,
        help_text="The most that are ever in flight to one model: a connection with three models may have three times "
        "as many. Galley finds out by itself how many the provider takes, and stays below this.",
    )
    requests_per_minute = forms.IntegerField(
        label="Requests a minute",
        min_value=1,
        max_value=10_000_000,
        required=False,
        help_text="What your contract allows for each model; all workers together keep to it. If it is for all of them "
        "together, give each model its part of it, on the model's own page. Empty: no limit.",
    )
    tokens_per_minute = forms.IntegerField(
        label="Tokens a minute",
        min_value=1,
        max_value=2_000_000_000,
        required=False,
        help_text="Tokens in and out together, for each model by itself. Empty: no limit.",
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        kind = cleaned.get("kind", "")
        if kind and not cleaned.get("base_url"):
            if kind == Connection.Kind.COMPATIBLE:
                self.add_error("base_url", "Enter the address of the server, such as https://models.example.com/v1.")
            cleaned["base_url"] = DIALECTS[kind].base_url
        if self.is_new and kind and kind != Connection.Kind.COMPATIBLE and not cleaned.get("key"):
            self.add_error("key", "Enter the key: only a server of your own may do without.")
        cleaned["provider"] = cleaned.get("provider") or kind
        return cleaned


class ConnectionEditForm(ConnectionForm):
    """An existing connection: its kind stays, and an empty key keeps the one that is stored."""

    is_new = False

    kind = forms.ChoiceField(label="Speaks", choices=Connection.Kind.choices, disabled=True)
    key = KeyField(
        label="Key for a new address", required=False, help_text="Only needed when the address leads to another server."
    )


class KeyForm(forms.Form):
    key = KeyField(label="New key")
