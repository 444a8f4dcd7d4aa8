from apps.prompts.actions.changes import (
    comment_on_change_request,
    open_change_request,
    promote_change_request,
    replace_version,
    report_check,
    review_change_request,
    withdraw_change_request,
)
from apps.prompts.actions.deployments import deploy, roll_back
from apps.prompts.actions.environments import create_environments, update_policy
from apps.prompts.actions.input_sets import delete_input_set, rename_input_set, save_input_set
from apps.prompts.actions.prompts import (
    archive_prompt,
    create_prompt,
    discard_draft,
    open_draft,
    save_draft,
    save_version,
)

__all__ = [
    "archive_prompt",
    "comment_on_change_request",
    "create_environments",
    "create_prompt",
    "delete_input_set",
    "deploy",
    "discard_draft",
    "open_change_request",
    "open_draft",
    "promote_change_request",
    "rename_input_set",
    "replace_version",
    "report_check",
    "review_change_request",
    "roll_back",
    "save_draft",
    "save_input_set",
    "save_version",
    "update_policy",
    "withdraw_change_request",
]
