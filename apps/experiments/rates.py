"""Pass rates of a prompt's versions, as their last finished runs found them."""

from dataclasses import dataclass
from typing import Any

from apps.accounts.models import Workspace
from apps.experiments.models import Run
from apps.prompts.models import Prompt

RECENT_RUNS = 100


@dataclass(frozen=True)
class VersionRate:
    """What the newest run of a suite found for a version."""

    version: int
    suite: str
    run_id: int
    rate: dict[str, Any]
    latency_p50: int | None
    cost_per_answer: str | None


def by_version(prompt: Prompt) -> list[VersionRate]:
    """Return the newest figure of every version and suite, newest version first."""
    runs = Run.objects.done().filter(suite__prompt=prompt, suite__archived_at=None, summary__isnull=False)
    found: dict[tuple[int, str], VersionRate] = {}
    for run in runs.select_related("suite").newest_first()[:RECENT_RUNS]:
        for arm in (run.summary or {}).get("arms", []):
            key = (arm["version"], run.suite.name)
            if key not in found and arm["rate"]["n"]:
                found[key] = _figure(run, arm)
    return sorted(found.values(), key=lambda row: (-row.version, row.suite))


def of_versions(workspace: Workspace, wanted: dict[int, int]) -> dict[int, VersionRate]:
    """Return the newest figure of one version of each prompt, by prompt id, in one query."""
    runs = Run.objects.done().filter(
        suite__prompt__in=wanted, suite__prompt__workspace=workspace, suite__archived_at=None, summary__isnull=False
    )
    found: dict[int, VersionRate] = {}
    for run in runs.select_related("suite").newest_first()[: RECENT_RUNS * 5]:
        prompt_id = run.suite.prompt_id
        for arm in (run.summary or {}).get("arms", []):
            if prompt_id not in found and arm["version"] == wanted[prompt_id] and arm["rate"]["n"]:
                found[prompt_id] = _figure(run, arm)
    return found


def _figure(run: Run, arm: dict[str, Any]) -> VersionRate:
    return VersionRate(
        version=arm["version"],
        suite=run.suite.name,
        run_id=run.pk,
        rate=arm["rate"],
        latency_p50=arm["latency_p50"],
        cost_per_answer=arm["cost_per_answer"],
    )
