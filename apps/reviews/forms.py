from django import forms

from apps.accounts.models import Workspace
from apps.experiments.models import Run, RunArm
from apps.reviews.models import Rating, Skip


class AnswerForm(forms.Form):
    """What a rater said. `key` is new on every form shown, so that a second click is known as one."""

    key = forms.UUIDField()
    answer = forms.ChoiceField(choices=Rating.Answer.choices)
    comment = forms.CharField(max_length=2000, required=False)


class RatingForm(AnswerForm):
    token = forms.UUIDField()
    seconds = forms.IntegerField(min_value=0, max_value=7200, required=False)

    def clean_seconds(self) -> int | None:
        """Treat nothing measured as unknown."""
        return self.cleaned_data["seconds"] or None


class SkipForm(forms.Form):
    token = forms.UUIDField()
    reason = forms.ChoiceField(
        choices=Skip.Reason.choices, error_messages={"required": "Say why, so that the item can be mended."}
    )
    note = forms.CharField(max_length=500, required=False)


class TokenForm(forms.Form):
    token = forms.UUIDField()


class QueueForm(forms.Form):
    """Which run to ask people about, and how many of them."""

    overlap = forms.IntegerField(label="Raters per pair", min_value=1, max_value=5, initial=2)
    limit = forms.IntegerField(label="Pairs at most", min_value=1, max_value=200, initial=20)

    def __init__(self, *args: object, workspace: Workspace, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        runs = Run.objects.done().filter(workspace=workspace, arms__role=RunArm.Role.BASELINE)
        self.fields["run"] = forms.ModelChoiceField(
            queryset=runs.select_related("suite").newest_first(), empty_label="Choose a finished run"
        )
        self.order_fields(["run", "overlap", "limit"])
