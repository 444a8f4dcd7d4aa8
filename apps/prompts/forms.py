"""What people may send: shapes and sizes. The rules stand in the actions."""

from typing import Any

from django import forms
from django.http import QueryDict

from apps.prompts import variables
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


def read_draft(post: QueryDict) -> dict[str, Any]:
    """Return the editor's content as `save_draft` takes it; what is no number stays text, which it refuses."""
    roles, texts = post.getlist("role"), post.getlist("content")
    return {
        "messages": [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)],
        "format": post.get("format", "mustache"),
        "variables": [_variable(post, index, name) for index, name in enumerate(post.getlist("variable"))],
        "model_config": {
            "model": post.get("model", ""),
            "parameters": {
                "temperature": _number(post, "temperature"),
                "max_tokens": _number(post, "max_tokens", whole=True),
            },
        },
    }


def _variable(post: QueryDict, index: int, name: str) -> dict[str, Any]:
    kind = post.get(f"variable-{index}-type", "string")
    default = post.get(f"variable-{index}-default", "")
    # An empty text is a default of its own: it stays one as long as nobody writes another.
    blank = kind == "string" and post.get(f"variable-{index}-empty-default") == "on"
    return {
        "name": name,
        "type": kind,
        "required": post.get(f"variable-{index}-required") == "on",
        "default": variables.parse(kind, default) if default else (None if not blank else ""),
        "example": post.get(f"variable-{index}-example", "").replace("\r\n", "\n"),
        "description": post.get(f"variable-{index}-description", ""),
    }


def _number(post: QueryDict, name: str, *, whole: bool = False) -> float | int | str | None:
    written = post.get(name, "").strip().replace(",", ".")
    try:
        return (int(written) if whole else float(written)) if written else None
    except ValueError:
        return written
