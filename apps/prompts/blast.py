"""The blast radius of a shared prompt: whose text becomes another when it moves, where that is live, and how busy it is."""

from dataclasses import dataclass

from apps.costs import spend
from apps.prompts import parents
from apps.prompts.models import Environment, Prompt, Version
from apps.prompts.parents import Parent

DAYS = 7


@dataclass(frozen=True)
class Hit:
    """One version that takes the prompt in, and how often its prompt was called in the last week."""

    parent: Parent
    calls: int

    @property
    def is_live(self) -> bool:
        return bool(self.parent.pointers.environments)


@dataclass(frozen=True)
class Radius:
    """Everything that takes a prompt in; with `environment` only what changes when another version goes live there."""

    environment: Environment | None
    hits: list[Hit]

    @property
    def live(self) -> int:
        """Count the prompts that are live somewhere."""
        return len({hit.parent.version.prompt_id for hit in self.hits if hit.is_live})

    @property
    def calls(self) -> int:
        """Count the calls of a week, each prompt's once."""
        return sum({hit.parent.version.prompt_id: hit.calls for hit in self.hits}.values())

    @property
    def sentence(self) -> str:
        count = len({hit.parent.version.prompt_id for hit in self.hits})
        prompts = f"{count} prompt{'s' if count != 1 else ''}"
        live = f"{self.live} of them live" if self.live else "none of them live"
        calls = f"{self.calls:,} call{'s' if self.calls != 1 else ''} in the last {DAYS} days"
        if self.environment:
            changes = "change" if count != 1 else "changes"
            return f"{prompts} {changes} with it when it moves in {self.environment.name}: {live}, {calls}."
        return f"Taken in by {prompts}: {live}, {calls}."


def new_demands(before: Version | None, after: Version) -> list[str]:
    """Return the variables that callers of the parents would have to send from then on, or send otherwise."""
    known = {variable["name"]: variable for variable in before.variables} if before else {}
    found = []
    for variable in after.variables:
        old = known.get(variable["name"])
        asks = variable["required"] and variable["default"] is None
        if asks and not (old and old["required"] and old["default"] is None):
            found.append(f"{variable['name']} has to be sent")
        elif old and old["type"] != variable["type"]:
            found.append(f"{variable['name']} becomes a {variable['type']}")
    return found


def of(prompt: Prompt, environment: Environment | None = None) -> Radius:
    """Return who takes the prompt in, those that are live first, in a bounded number of queries."""
    found = parents.of(prompt, environment.name if environment else None)
    spent = spend.by_prompt(prompt.workspace_id, {parent.version.prompt_id for parent in found}, DAYS) if found else {}
    hits = [Hit(parent, spent[parent.version.prompt_id].calls) for parent in found]
    return Radius(environment, sorted(hits, key=lambda hit: (not hit.is_live, -hit.calls)))
