"""The names of connections, which the rooms above know: a negotiated price holds its connection's id alone."""

from typing import Any

from django.dispatch import Signal

from apps.accounts.models import Workspace
from apps.costs.models import Charge

# Sent with `workspace_id`. Who knows the connections of a workspace answers {id: name}.
connections_asked = Signal()
RECENT = 5_000


def names(workspace_id: int) -> dict[int, str]:
    """Return the connections that somebody knows by name."""
    found: dict[int, str] = {}
    answer: Any
    for _, answer in connections_asked.send(sender=None, workspace_id=workspace_id):
        found.update(answer)
    return dict(sorted(found.items(), key=lambda item: (item[1].lower(), item[0])))


def choices(workspace: Workspace) -> dict[int, str]:
    """Return the connections that a price could be for: those known by name, and those that prices or calls name."""
    recent = Charge.objects.filter(workspace_id=workspace.pk).newest_first().values("connection_id")[:RECENT]
    priced = workspace.prices.standing().exclude(connection_id=None).values("connection_id").distinct()
    seen = {row["connection_id"] for rows in (recent, priced) for row in rows if row["connection_id"] is not None}
    known = names(workspace.pk)
    return known | {pk: f"Connection {pk}" for pk in sorted(seen - known.keys())}
