"""What people may send about change requests and their history: shapes and sizes. The rules stand in the actions."""

from typing import Any

from django import forms

from apps.accounts.models import Membership, User
from apps.accounts.rights import Right
from apps.prompts.models import ChangeRequest, Environment, Prompt, Version

TEXT = forms.TextInput(attrs={"class": "form-control"})
AREA = forms.Textarea(attrs={"class": "form-control", "rows": 3})
SELECT = forms.Select(attrs={"class": "form-select"})
MOMENT = "%Y-%m-%dT%H:%M"


class MomentInput(forms.DateTimeInput):
    """A date and a time of day, as the workspace's clocks show it."""

    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(attrs={"class": "form-control"}, format=MOMENT)


class WordsForm(forms.Form):
    """What a request says of itself, and whose eyes it asks for."""

    title = forms.CharField(max_length=200, widget=TEXT, label="What gets better?")
    why = forms.CharField(max_length=20_000, required=False, widget=AREA, label="Why now? What did you look at?")
    reviewers = forms.ModelMultipleChoiceField(
        User.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Whose eyes do you ask for?",
        help_text="Nobody named: everybody who reviews is told.",
    )

    def __init__(self, *args: Any, membership: Membership, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        able = membership.workspace.memberships.with_right(Right.REVIEW).exclude(user=membership.user_id)
        users = User.objects.filter(pk__in=able.values("user"), is_active=True).order_by("name", "email")
        self.fields["reviewers"].queryset = users  # type: ignore[attr-defined]


class ChangeRequestForm(WordsForm):
    """A version, where it should go live, and the request of one's own that this one replaces."""

    version = forms.ModelChoiceField(Version.objects.none(), widget=SELECT)
    environment = forms.ModelChoiceField(Environment.objects.none(), widget=SELECT, label="Where should it go live?")
    replaces = forms.ModelChoiceField(
        ChangeRequest.objects.none(), required=False, widget=SELECT, label="Does it replace a request of yours?"
    )
    field_order = ("version", "environment", "replaces", "title", "why", "reviewers")

    def __init__(self, *args: Any, prompt: Prompt, membership: Membership, **kwargs: Any) -> None:
        super().__init__(*args, membership=membership, **kwargs)
        self.fields["version"].queryset = prompt.versions.newest_first()  # type: ignore[attr-defined]
        environments = prompt.workspace.environments.ranked()
        self.fields["environment"].queryset = environments  # type: ignore[attr-defined]
        mine = ChangeRequest.objects.waiting().filter(items__prompt=prompt, author=membership.user_id)
        if mine.exists():
            self.fields["replaces"].queryset = mine.newest_first()  # type: ignore[attr-defined]
        else:
            del self.fields["replaces"]


class ScheduleForm(forms.Form):
    at = forms.DateTimeField(widget=MomentInput(), input_formats=[MOMENT, "%Y-%m-%dT%H:%M:%S"], label="When?")
    reason = forms.CharField(max_length=4_000, required=False)


class CommentForm(forms.Form):
    """A remark: about the whole, about words of a message, or an answer."""

    text = forms.CharField(max_length=20_000, strip=False)
    prompt = forms.IntegerField(required=False, min_value=1)
    message = forms.IntegerField(required=False, min_value=0, max_value=10_000)
    quote = forms.CharField(max_length=20_000, required=False, strip=False)
    reply_to = forms.IntegerField(required=False, min_value=1)


class AsOfForm(forms.Form):
    """A moment of the past, as the workspace's clocks showed it."""

    at = forms.DateTimeField(widget=MomentInput(), input_formats=[MOMENT, "%Y-%m-%dT%H:%M:%S"], label="As of")
