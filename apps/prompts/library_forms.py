"""What people may send to keep their prompts in order."""

from typing import Any

from django import forms

from apps.accounts.models import User
from apps.prompts.models import Prompt

TEXT = forms.TextInput(attrs={"class": "form-control"})
SELECT = forms.Select(attrs={"class": "form-select"})


class PromptSettingsForm(forms.Form):
    name = forms.CharField(
        max_length=255,
        widget=TEXT,
        help_text="Slashes make folders; another folder moves the prompt. Once it was live, programs know it by this name and it stays.",
    )
    description = forms.CharField(max_length=300, required=False, widget=TEXT)
    owner = forms.ModelChoiceField(User.objects.none(), required=False, widget=SELECT, empty_label="Nobody")
    tags = forms.CharField(max_length=900, required=False, widget=TEXT, help_text="Separated by commas.")

    def __init__(self, *args: Any, prompt: Prompt, **kwargs: Any) -> None:
        known = {
            "name": prompt.name,
            "description": prompt.description,
            "owner": prompt.owner_id,
            "tags": ", ".join(prompt.tags),
        }
        super().__init__(*args, **{**kwargs, "initial": known})
        members = User.objects.filter(memberships__workspace=prompt.workspace_id).order_by("name", "email")
        self.fields["owner"].queryset = members  # type: ignore[attr-defined]

    def clean_tags(self) -> list[str]:
        return [tag.strip() for tag in self.cleaned_data["tags"].split(",") if tag.strip()]


class ImportForm(forms.Form):
    """One of three: a file, a pasted text, or a server to read from."""

    file = forms.FileField(
        required=False,
        allow_empty_file=True,
        label="A file",
        help_text="Galley's YAML, Langfuse's JSON, promptfoo's YAML, or a zip of a folder with .txt, .md and .yaml files. At most 8 MB.",
        widget=forms.ClearableFileInput(attrs={"class": "form-control", "accept": ".json,.yaml,.yml,.txt,.md,.zip"}),
    )
    pasted = forms.CharField(
        required=False,
        strip=False,
        max_length=4_000_000,
        label="Or paste it",
        help_text="A reusable prompt of OpenAI as JSON, or any of the above.",
        widget=forms.Textarea(attrs={"class": "form-control g-mono", "rows": 6, "spellcheck": "false"}),
    )
    url = forms.URLField(
        required=False,
        assume_scheme="https",
        max_length=300,
        label="Or read it from a Langfuse server",
        widget=forms.URLInput(attrs={"class": "form-control", "placeholder": "https://cloud.langfuse.com"}),
    )
    public_key = forms.CharField(required=False, max_length=200, widget=TEXT)
    secret_key = forms.CharField(
        required=False,
        max_length=200,
        help_text="Used for this once and not kept.",
        widget=forms.PasswordInput(attrs={"class": "form-control", "autocomplete": "off"}),
    )

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        given = [name for name in ("file", "pasted", "url") if data.get(name)]
        if len(given) != 1 and not self.errors:
            raise forms.ValidationError("Choose one: a file, a pasted text, or a server.")
        if data.get("url") and not (data.get("public_key") and data.get("secret_key")):
            raise forms.ValidationError("A Langfuse server asks for its public and its secret key.")
        return data
