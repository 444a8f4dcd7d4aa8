"""The shapes of what people enter about models, and of what they ask the catalogue."""

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from apps.llm import catalogue
from apps.llm.actions import Facts
from apps.llm.estimator import Traffic
from apps.llm.finder import Requirements
from apps.llm.models import Model

MOST_TOKENS = 100_000_000
HUNDRED = Decimal(100)
UNSURE = (("", "Unknown"), ("yes", "Yes"), ("no", "No"))


class ModelForm(forms.Form):
    """A model that a connection offers."""

    name = forms.CharField(label="Model", max_length=120, help_text="The provider's name for it.")
    kind = forms.ChoiceField(label="Gives", choices=Model.Kind.choices, required=False)
    context_window = forms.IntegerField(
        label="Context window",
        required=False,
        min_value=1,
        max_value=MOST_TOKENS,
        help_text="In tokens. Empty: looked up in the public list, if that knows it.",
    )
    max_output_tokens = forms.IntegerField(label="Longest answer", required=False, min_value=1, max_value=10_000_000)

    def clean_kind(self) -> str:
        return self.cleaned_data["kind"] or Model.Kind.CHAT


class WordsField(forms.CharField):
    """Words with commas between them; nothing typed is None."""

    def __init__(self, suggestions: tuple[str, ...] = (), **options: Any) -> None:
        super().__init__(required=False, max_length=1_000, **options)
        self.suggestions = suggestions

    def to_python(self, value: Any) -> Any:
        words = [word.strip() for word in str(super().to_python(value) or "").split(",")]
        return [word for word in words if word] or None

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value

    def validate(self, value: Any) -> None:
        pass

    def run_validators(self, value: Any) -> None:
        super().run_validators(", ".join(value or ()))


class UnsureField(forms.TypedChoiceField):
    """Yes, no, or nobody knows."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            choices=UNSURE, required=False, coerce=lambda value: value == "yes", empty_value=None, **options
        )

    def prepare_value(self, value: Any) -> Any:
        return {True: "yes", False: "no", None: ""}.get(value, value)


def _suggested(words: tuple[str, ...]) -> SafeString:
    return format_html_join(", ", "<code>{}</code>", ((word,) for word in words))


class FactsForm(forms.Form):
    """What is known of a model. A field that is left empty says that nobody knows."""

    kind = forms.ChoiceField(label="Gives", choices=Model.Kind.choices)
    context_window = forms.IntegerField(
        label="Context window", required=False, min_value=1, max_value=MOST_TOKENS, help_text="In tokens."
    )
    max_output_tokens = forms.IntegerField(
        label="Longest answer", required=False, min_value=1, max_value=10_000_000, help_text="In tokens."
    )
    modalities = forms.MultipleChoiceField(
        label="Reads",
        required=False,
        choices=Model.Modality.choices,
        widget=forms.CheckboxSelectMultiple,
        help_text="None ticked: unknown.",
    )
    supports_tools = UnsureField(label="Calls tools")
    supports_json = UnsureField(label="Answers in JSON to a schema")
    regions = WordsField(label="Data is processed in", help_text=_suggested(catalogue.REGIONS))
    assurances = WordsField(label="Promised", help_text=_suggested(catalogue.ASSURANCES))
    data_note = forms.CharField(
        label="Where that is written",
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="The contract, the page, the date: whatever helps the next person to check it.",
    )
    requests_per_minute = forms.IntegerField(
        label="Requests a minute",
        required=False,
        min_value=1,
        max_value=10_000_000,
        help_text="Only if this model has a limit of its own. Empty: the connection's.",
    )
    tokens_per_minute = forms.IntegerField(
        label="Tokens a minute",
        required=False,
        min_value=1,
        max_value=2_000_000_000,
        help_text="Tokens in and out together. Empty: the connection's.",
    )

    def facts(self) -> Facts:
        """Return what was entered."""
        entered = dict(self.cleaned_data)
        entered["modalities"] = entered["modalities"] or None
        return Facts(**entered)


class FinderForm(forms.Form):
    """What a model must be able to do; every field may stay empty."""

    input_tokens = forms.IntegerField(label="Tokens in", required=False, min_value=1, max_value=MOST_TOKENS)
    output_tokens = forms.IntegerField(label="Tokens out", required=False, min_value=1, max_value=MOST_TOKENS)
    max_cost = forms.DecimalField(
        label="1,000 requests cost at most", required=False, min_value=0, max_digits=12, decimal_places=6
    )
    min_context = forms.IntegerField(label="Context of at least", required=False, min_value=1, max_value=MOST_TOKENS)
    max_p50 = forms.IntegerField(label="Typical answer within (ms)", required=False, min_value=1, max_value=10_000_000)
    max_p99 = forms.IntegerField(
        label="99 of 100 answers within (ms)", required=False, min_value=1, max_value=10_000_000
    )
    tools = forms.BooleanField(label="Calls tools", required=False)
    json = forms.BooleanField(label="Answers in JSON", required=False)
    modalities = forms.MultipleChoiceField(
        label="Reads",
        required=False,
        choices=[choice for choice in Model.Modality.choices if choice[0] != Model.Modality.TEXT],
        widget=forms.CheckboxSelectMultiple,
    )
    region = forms.ChoiceField(label="Data stays in", required=False)
    assurances = forms.MultipleChoiceField(label="Promised", required=False, widget=forms.CheckboxSelectMultiple)

    def __init__(self, data: Any, *, regions: list[str], assurances: list[str]) -> None:
        super().__init__(data)
        self.fields["region"].choices = [("", "Anywhere"), *((name, name) for name in regions)]  # type: ignore[attr-defined]
        self.fields["assurances"].choices = [(name, name) for name in assurances]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("max_cost") is not None and not (cleaned.get("input_tokens") or cleaned.get("output_tokens")):
            self.add_error("max_cost", "Say how long a request is, above: a cost depends on it.")
        return cleaned

    def requirements(self) -> Requirements:
        """Return what was asked for and understood."""
        self.is_valid()
        given = {name: value for name, value in self.cleaned_data.items() if value not in (None, "", [], False)}
        for field, name in (("max_p50", "max_p50_ms"), ("max_p99", "max_p99_ms")):
            if field in given:
                given[name] = given.pop(field)
        return Requirements(**given)


class EstimatorForm(forms.Form):
    """The traffic to reckon with, and on which models."""

    requests_per_day = forms.DecimalField(
        label="Requests a day", min_value=0, max_value=1_000_000_000, decimal_places=2, max_digits=14
    )
    input_tokens = forms.IntegerField(label="Tokens in", min_value=0, max_value=MOST_TOKENS)
    output_tokens = forms.IntegerField(label="Tokens out", min_value=0, max_value=MOST_TOKENS)
    cached = forms.DecimalField(
        label="Read from the provider's cache (%)",
        required=False,
        min_value=0,
        max_value=100,
        decimal_places=1,
        help_text="Of the tokens in.",
    )
    batch = forms.DecimalField(
        label="Sent as a batch (%)",
        required=False,
        min_value=0,
        max_value=100,
        decimal_places=1,
        help_text="Of the requests that are sent.",
    )
    reused = forms.DecimalField(
        label="Answered by kept answers (%)",
        required=False,
        min_value=0,
        max_value=100,
        decimal_places=1,
        help_text="Of all requests: ours, so they cost nothing.",
    )
    model = forms.MultipleChoiceField(label="Models", required=False, widget=forms.CheckboxSelectMultiple)

    def __init__(self, data: Any, *, models: list[tuple[str, str]], initial: dict[str, Any] | None = None) -> None:
        super().__init__(data, initial=initial)
        self.fields["model"].choices = models  # type: ignore[attr-defined]

    def traffic(self) -> Traffic | None:
        """Return what was entered, or None when it is not enough to reckon with."""
        if not self.is_valid():
            return None
        entered = self.cleaned_data
        return Traffic(
            requests_per_day=entered["requests_per_day"],
            input_tokens=entered["input_tokens"],
            output_tokens=entered["output_tokens"],
            **{f"{name}_share": (entered[name] or Decimal(0)) / HUNDRED for name in ("cached", "batch", "reused")},
        )
