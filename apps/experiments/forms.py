"""Input as people type it. Rows (inputs of a case, assertions of a suite) are plain numbered fields."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django import forms

from apps.accounts.models import Workspace
from apps.experiments import assertions
from apps.experiments.models import Case, Dataset, RunArm, Suite
from apps.experiments.statistics import smallest_detectable
from apps.llm import policies
from apps.llm.models import Model
from apps.prompts.models import Prompt, Version

BLANK_ROWS = 3
MAX_ROWS = 200


class DatasetForm(forms.Form):
    name = forms.CharField(max_length=120)
    description = forms.CharField(max_length=500, required=False, help_text="What these cases have in common.")


class ImportForm(forms.Form):
    file = forms.FileField(label="A file", required=False, help_text="JSONL, a JSON array or CSV, in UTF-8.")
    content = forms.CharField(
        label="Or its text, pasted",
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false"}),
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        upload = data.get("file")
        if upload:
            try:
                data["content"] = upload.read().decode("utf-8-sig")
            except UnicodeDecodeError:
                self.add_error("file", "This file is not UTF-8 text.")
        elif not data.get("content"):
            self.add_error(None, "Choose a file or paste its text: one of the two is needed.")
        return data


class CaseForm(forms.Form):
    name = forms.CharField(max_length=200, required=False, help_text="Left empty, it gets a number.")
    expected = forms.CharField(
        label="Expected answer",
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Assertions can speak of it as {{expected}}.",
    )
    tags = forms.CharField(max_length=400, required=False, help_text="Words with commas between.")

    def tag_list(self) -> list[str]:
        return [tag.strip() for tag in self.cleaned_data["tags"].split(",") if tag.strip()]


def input_rows(data: Mapping[str, str] | None, case: Case | None, names: list[str]) -> list[dict[str, str]]:
    """Return the rows of a case's inputs to show: as posted, as stored, or the names that other cases have."""
    if data is not None:
        rows = [row for row in _numbered(data, ("input_name", "input_value")) if row["input_name"]]
    elif case is not None:
        rows = [{"input_name": name, "input_value": _shown(value)} for name, value in case.inputs.items()]
    else:
        rows = [{"input_name": name, "input_value": ""} for name in names]
    return rows + [{"input_name": "", "input_value": ""}] * (BLANK_ROWS if not names or case else 1)


def inputs_of(data: Mapping[str, str], case: Case | None) -> dict[str, Any]:
    """Return the inputs that were typed. A value that was not text before is read as JSON, so that it keeps its type."""
    before = case.inputs if case else {}
    found: dict[str, Any] = {}
    for row in _numbered(data, ("input_name", "input_value")):
        name, value = row["input_name"].strip(), row["input_value"].replace("\r\n", "\n")
        if name:
            found[name] = value if isinstance(before.get(name, ""), str) else _parsed(value)
    return found


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _parsed(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def _numbered(data: Mapping[str, str], names: tuple[str, ...]) -> list[dict[str, str]]:
    rows = []
    for number in range(MAX_ROWS):
        if f"{names[0]}-{number}" not in data:
            break
        rows.append({name: data.get(f"{name}-{number}", "") for name in names})
    return rows


class SuiteForm(forms.Form):
    prompt = forms.ModelChoiceField(queryset=Prompt.objects.none())
    name = forms.CharField(max_length=120)
    dataset = forms.ModelChoiceField(queryset=Dataset.objects.none())
    pass_percent = forms.DecimalField(
        label="Cases that must pass (%)", min_value=0, max_value=100, decimal_places=1, initial=80
    )
    repeats = forms.IntegerField(
        min_value=1,
        max_value=20,
        initial=1,
        help_text="How often each case is asked, to see how steady the answers are.",
    )
    case_percent = forms.DecimalField(
        label="Score at which a case passes (%)",
        min_value=Decimal("0.1"),
        max_value=100,
        decimal_places=1,
        required=False,
        help_text="Left empty, a case passes when every assertion holds.",
    )

    def __init__(self, workspace: Workspace, *args: Any, suite: Suite | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        prompts: Any = self.fields["prompt"]
        prompts.queryset = Prompt.objects.active().filter(workspace=workspace).order_by("name")
        datasets: Any = self.fields["dataset"]
        datasets.queryset = Dataset.objects.active().filter(workspace=workspace).order_by("name")
        if suite:
            del self.fields["prompt"]

    @staticmethod
    def initial_of(suite: Suite) -> dict[str, Any]:
        percent = (suite.case_threshold * 100).normalize() if suite.case_threshold else None
        return {
            "name": suite.name,
            "dataset": suite.dataset_id,
            "pass_percent": f"{suite.pass_threshold * 100:f}".rstrip("0").rstrip("."),
            "repeats": suite.repeats,
            "case_percent": None if percent is None else f"{percent:f}",
        }

    def rules(self, rows: list[assertions.Assertion]) -> dict[str, Any]:
        percent = self.cleaned_data["case_percent"]
        return {
            "assertions": rows,
            "repeats": self.cleaned_data["repeats"],
            "pass_threshold": self.cleaned_data["pass_percent"] / 100,
            "case_threshold": None if percent is None else percent / 100,
        }


ASSERTION_FIELDS = ("type", "value", "unit", "weight", "name")


def assertion_rows(
    data: Mapping[str, str] | None, stored: list[assertions.Assertion], more: int
) -> list[dict[str, Any]]:
    """Return the rows of the assertion editor: as posted or stored, and blank ones to fill in."""
    rows: list[dict[str, Any]]
    if data is not None:
        rows = [dict(row) for row in _numbered(data, ASSERTION_FIELDS) if row["type"] or row["value"]]
    else:
        rows = [{**row, "value": _shown(row.get("value", ""))} for row in stored]
    return rows + [{"weight": 1}] * more


def assertions_of(data: Mapping[str, str]) -> list[assertions.Assertion]:
    """Return the assertions that were typed; a row without a type is left out."""
    return [
        {name: value for name, value in row.items() if value.strip()}
        for row in _numbered(data, ASSERTION_FIELDS)
        if row["type"]
    ]


def type_choices() -> list[tuple[str, str]]:
    return [(kind, assertions.label(kind)) for kind in assertions.TYPES]


class RunForm(forms.Form):
    """Which version to test, and against which."""

    candidate = forms.ModelChoiceField(queryset=Version.objects.none(), label="Test version")
    baseline = forms.ModelChoiceField(
        queryset=Version.objects.none(), required=False, label="Against", empty_label="nothing: only measure it"
    )
    model = forms.ModelChoiceField(
        queryset=Model.objects.none(), required=False, empty_label="the model that each version names"
    )
    reuse = forms.BooleanField(label="Use kept answers", required=False, initial=True)

    def __init__(self, suite: Suite, *args: Any, cases: int = 0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        versions = Version.objects.filter(prompt=suite.prompt_id).newest_first()
        for name in ("candidate", "baseline"):
            field: Any = self.fields[name]
            field.queryset = versions
            field.label_from_instance = lambda version: f"Version {version.number}: {version.message[:60]}"
        models: Any = self.fields["model"]
        models.queryset = Model.objects.usable().chatting().filter(workspace=suite.workspace_id).order_by("name")
        self._offer_reuse(suite)
        self.cases = cases

    def _offer_reuse(self, suite: Suite) -> None:
        """Leave the choice out where the workspace uses no answer again."""
        policy = policies.policy_of(suite.workspace_id)
        if policy.reuse_for is None:
            del self.fields["reuse"]
            return
        days, odd = divmod(policy.reuse_hours, 24)
        span = f"{policy.reuse_hours:,} hours" if odd or days < 2 else f"{days:,} days"
        self.fields["reuse"].help_text = (
            f"What was asked word for word in a run of the last {span} is not paid for again: its answer from then "
            "serves, and is marked. Switch this off to hear what the model says now. Tests of a change request never "
            "use kept answers."
        )

    @property
    def detectable(self) -> float:
        """Return the smallest difference that this many cases can show."""
        return smallest_detectable(self.cases)

    def arms(self) -> list[tuple[Version, str, Model | None]]:
        data = self.cleaned_data
        found = [(data["candidate"], str(RunArm.Role.CANDIDATE), data["model"])]
        if data["baseline"]:
            found.append((data["baseline"], str(RunArm.Role.BASELINE), data["model"]))
        return found
