"""What an arm is asked for a case: the inputs fitted to a version's contract, and the messages they make."""

from collections.abc import Iterable, Mapping
from typing import Any

from apps.core.errors import DomainError
from apps.experiments import assertions
from apps.experiments.models import Case, RunArm
from apps.llm.models import Model
from apps.prompts import composition, rendering, variables
from apps.prompts.composition import Resolved
from apps.prompts.models import Version

Message = dict[str, Any]


class CaseDoesNotFit(DomainError):
    """A case cannot be put into a version: `details` names the case."""


class NoModel(DomainError):
    """A version does not say which model answers it, or the workspace does not have that model."""


def composed(version: Version, taken_in: Mapping[str, int] | None = None) -> Resolved:
    """Return a version's text with everything that it takes in; `taken_in` says where labels lead, as `RunArm` has it.

    Raises BadReference and ContractError.
    """
    workspace_id = version.prompt.workspace_id
    overrides: dict[tuple[int, str], Version] = {}
    if taken_in and composition.has_references(version):
        inside = (
            Version.objects.filter(prompt__workspace=workspace_id).select_related("prompt").in_bulk(taken_in.values())
        )
        for place, version_id in taken_in.items():
            prompt_id, _, label = place.partition(":")
            overrides[int(prompt_id), label] = inside[version_id]
    return composition.resolve(version, workspace_id=workspace_id, overrides=overrides)


def frozen(resolved: Resolved) -> dict[str, int]:
    """Return where every label led, as `RunArm.taken_in` keeps it."""
    followed = [used for used in resolved.used if used.reference.label]
    return {RunArm.place(used.version.prompt_id, str(used.reference.label)): used.version.pk for used in followed}


def values_for(contract: Iterable[variables.Variable], inputs: dict[str, Any]) -> dict[str, Any]:
    """Return the inputs that a contract declares; text for a variable of another type is read as that type.

    A dataset serves versions whose contracts differ, so what only another arm uses is left out here.
    """
    kinds = {variable["name"]: variable["type"] for variable in contract}
    return {
        name: variables.parse(kinds[name], value) if isinstance(value, str) else value
        for name, value in inputs.items()
        if name in kinds
    }


def filled(resolved: Resolved, format: str, inputs: dict[str, Any]) -> list[Message]:
    """Return what the model is sent for a case. Raises ContractError and TemplateError."""
    values = values_for(resolved.variables, inputs)
    return rendering.render(resolved.messages, resolved.variables, format, values, resolved.examples)


def messages(version: Version, inputs: dict[str, Any], taken_in: Mapping[str, int] | None = None) -> list[Message]:
    """Return what the model is sent for one case. Raises as `composed` and `filled` do."""
    return filled(composed(version, taken_in), version.format, inputs)


def require_fit(cases: Iterable[Case], sides: list[tuple[Version, Resolved]], rows: list[assertions.Assertion]) -> None:
    """Raise CaseDoesNotFit, naming case and variable, unless every case renders in every version.

    An input that no version declares and no assertion uses is refused too: it is a misspelled name more often than not.
    """
    known = {variable["name"] for _, resolved in sides for variable in resolved.variables}
    known |= {name.partition(".")[0] for name in assertions.variables(rows)}
    for case in cases:
        if unknown := sorted(case.inputs.keys() - known):
            raise CaseDoesNotFit(
                f'Case "{case.name}": no version and no assertion uses the input {unknown[0]}.', case=case.pk
            )
        if missing := assertions.missing_variable(rows, case.inputs):
            raise CaseDoesNotFit(f'Case "{case.name}": an assertion uses {missing}, which is missing.', case=case.pk)
        for version, resolved in sides:
            _require_render(case, version, resolved)


def _require_render(case: Case, version: Version, resolved: Resolved) -> None:
    try:
        filled(resolved, version.format, case.inputs)
    except DomainError as error:
        raise CaseDoesNotFit(f'Case "{case.name}" in version {version.number}: {error.message}', case=case.pk) from None


def model_of(version: Version) -> Model:
    """Return the model that the version names. Raises NoModel when it names none, or one that is not there."""
    name = (version.model_config or {}).get("model") or ""
    if not name:
        raise NoModel(f"Version {version.number} does not say which model answers it. Choose one for this run.")
    usable = Model.objects.usable().chatting().filter(workspace=version.prompt.workspace_id)
    model = usable.named(name).with_connection().first()
    if model is None:
        raise NoModel(f"Version {version.number} wants the model {name}, which no connection offers. Add it first.")
    return model
