"""What this room does when others ask."""

from typing import Any

from django.dispatch import receiver

from apps.costs.connection_names import connections_asked
from apps.llm.models import Connection


@receiver(connections_asked)
def name_connections(workspace_id: int, **_: Any) -> dict[int, str]:
    """Tell the books what the connections are called that prices were negotiated for."""
    return dict(Connection.objects.filter(workspace_id=workspace_id).values_list("pk", "name"))
