"""What people may send: shapes and sizes. The rules stand in the actions."""

from typing import Any

from django import forms

from apps.prompts.models import Approval, Prompt

TEXT = forms.TextInput(attrs={"class": "form-control"})
AREA = forms.Textarea(attrs={"class": "form-control", "rows": 3})


class PromptForm(forms.Form):
    name = forms.CharField(max_length=255, widget=TEXT, help_text="Slashes make folders: support/reply, for example.")
    description = forms.CharField(
        max_length=300, required=False, widget=TEXT, help_text="What is it for? One sentence."
    )
    kind = forms.ChoiceField(
        choices=[(Prompt.Kind.CHAT, "Chat: system and user messages"), (Prompt.Kind.TEXT, "Text: one text")],
        widget=forms.Select(attrs={"class": "form-select"}),
    )
    tags = forms.CharField(max_length=300, required=False, widget=TEXT, help_text="Separated by commas.")
    starter = forms.CharField(max_length=40, required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A starter says of what kind the prompt is.
        if self["starter"].value():
            del self.fields["kind"]

    def clean_tags(self) -> list[str]:
        return [tag.strip() for tag in self.cleaned_data["tags"].split(",") if tag.strip()]


class ReviewForm(forms.Form):
    decision = forms.ChoiceField(choices=Approval.Decision.choices)
    comment = forms.CharField(max_length=20_000, required=False, widget=AREA)
    content_hash = forms.CharField(max_length=64, required=False)


class ReasonForm(forms.Form):
    """A step that replaces what is live: what the person saw there, and why they change it."""

    reason = forms.CharField(max_length=4_000, required=False)
    replaces = forms.IntegerField(required=False)
