"""Views of the models room, by noun."""

from apps.llm.views.catalogue import model_add, model_archive, model_detail, model_edit, model_list
from apps.llm.views.connections import (
    connection_archive,
    connection_detail,
    connection_key,
    connection_list,
    connection_new,
    connection_test,
)
from apps.llm.views.finder import model_estimate, model_find
from apps.llm.views.keeping import keeping, keeping_purge
from apps.llm.views.traces import call_detail, call_json, call_jump, call_list, call_prompts

__all__ = [
    "call_detail",
    "call_json",
    "call_jump",
    "call_list",
    "call_prompts",
    "connection_archive",
    "connection_detail",
    "connection_key",
    "connection_list",
    "connection_new",
    "connection_test",
    "keeping",
    "keeping_purge",
    "model_add",
    "model_archive",
    "model_detail",
    "model_edit",
    "model_estimate",
    "model_find",
    "model_list",
]
