"""What an arm is asked for a case: the inputs fitted to a version's contract, and the messages they make."""

from collections.abc import Iterable
from typing import Any

from apps.core.errors import DomainError
from apps.experiments import assertions
from apps.experiments.models import Case
from apps.llm.models import Model
from apps.prompts import rendering, variables
from apps.prompts.models import Version

Message = dict[str, Any]


class CaseDoesNotFit(DomainError):
    """A case cannot be put into a version: `details` names the case."""


class NoModel(DomainError):
    """A version does not say which model answers it, or the workspace does not have that model."""


def values_for(version: Version, inputs: dict[str, Any]) -> dict[str, Any]:
    """Return the inputs that the version declares; text for a variable of another type is read as that type.

    A dataset serves versions whose contracts differ, so what only another arm uses is left out here.
    """
    kinds = {variable["name"]: variable["type"] for variable in version.variables}
    return {
        name: variables.parse(kinds[name], value) if isinstance(value, str) else value
        for name, value in inputs.items()
        if name in kinds
    }


def messages(version: Version, inputs: dict[str, Any]) -> list[Message]:
    """Return what the model is sent. Raises ContractError and TemplateError."""
    return rendering.messages_of(version, values_for(version, inputs))


def require_fit(cases: Iterable[Case], versions: list[Version], rows: list[assertions.Assertion]) -> None:
    """Raise CaseDoesNotFit, naming case and variable, unless every case renders in every version.

    An input that no version declares and no assertion uses is refused too: it is a misspelled name more often than not.
    """
    known = {variable["name"] for version in versions for variable in version.variables}
    known |= {name.partition(".")[0] for name in assertions.variables(rows)}
    for case in cases:
        if unknown := sorted(case.inputs.keys() - known):
            raise CaseDoesNotFit(
                f'Case "{case.name}": no version and no assertion uses the input {unknown[0]}.', case=case.pk
            )
        if missing := assertions.missing_variable(rows, case.inputs):
            raise CaseDoesNotFit(f'Case "{case.name}": an assertion uses {missing}, which is missing.', case=case.pk)
        for version in versions:
            _require_render(case, version)


def _require_render(case: Case, version: Version) -> None:
    try:
        messages(version, case.inputs)
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
