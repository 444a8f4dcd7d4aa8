"""What people change here: connections and the models that they offer."""

from apps.llm.actions.connections import (
    KeyNeeded,
    NameTaken,
    archive_connection,
    create_connection,
    replace_key,
    update_connection,
)
from apps.llm.actions.models import Facts, ModelKnown, add_model, archive_model, describe_model

__all__ = [
    "Facts",
    "KeyNeeded",
    "ModelKnown",
    "NameTaken",
    "add_model",
    "archive_connection",
    "archive_model",
    "create_connection",
    "describe_model",
    "replace_key",
    "update_connection",
]
