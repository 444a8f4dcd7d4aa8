import pgtrigger
from django.db import models

from apps.accounts.models import Workspace

# It runs at commit, after every other lock was taken, so it can wait for another commit but never be waited for in a
# circle; a reader sees the new number exactly when it sees what moved. One transaction moves it once.
MOVE = """
DECLARE changed RECORD;
BEGIN
    IF TG_OP = 'DELETE' THEN changed := OLD; ELSE changed := NEW; END IF;
    INSERT INTO prompts_deliveryepoch AS epoch (workspace_id, number)
    SELECT id, pg_current_xact_id()::text::bigint FROM accounts_workspace WHERE id = ({workspace})
    ON CONFLICT (workspace_id) DO UPDATE SET number = EXCLUDED.number WHERE epoch.number <> EXCLUDED.number;
    RETURN NULL;
END;
"""


class DeliveryEpoch(models.Model):
    """The transaction that last changed anything which programs of a workspace can fetch. Kept by triggers alone."""

    workspace = models.OneToOneField(Workspace, on_delete=models.CASCADE, primary_key=True, related_name="+")
    number = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.workspace} {self.number}"


def moves_delivery(workspace: str) -> pgtrigger.Trigger:
    """Return the trigger for a table whose rows programs can notice; `workspace` says of `changed` where it is."""
    return pgtrigger.Trigger(
        name="moves_delivery",
        when=pgtrigger.After,
        operation=pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete,
        timing=pgtrigger.Deferred,
        func=MOVE.format(workspace=workspace),
    )
