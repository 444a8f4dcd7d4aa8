"""What a workspace keeps, remembered for a moment in each process: every call asks."""

import time

from apps.llm.models import BodyPolicy

SEEN_WITHIN = 5.0  # seconds until every process follows a change
REMEMBERED = 2_000

_known: dict[int, tuple[float, BodyPolicy]] = {}


def policy_of(workspace_id: int) -> BodyPolicy:
    """Return the workspace's policy, or what holds for one that never chose."""
    now = time.monotonic()
    remembered = _known.get(workspace_id)
    if remembered and now - remembered[0] < SEEN_WITHIN:
        return remembered[1]
    policy = BodyPolicy.objects.filter(workspace=workspace_id).first() or BodyPolicy(workspace_id=workspace_id)
    if len(_known) >= REMEMBERED:
        _known.clear()
    _known[workspace_id] = (now, policy)
    return policy


def forget() -> None:
    """Drop what this process remembers of policies."""
    _known.clear()
