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
from apps.prompts.actions.importing import Report, import_prompts
from apps.prompts.actions.library import archive_prompt, restore_version, unarchive_prompt, update_prompt
from apps.prompts.actions.prompts import (
    create_prompt,
    discard_draft,
    open_draft,
    save_draft,
    save_version,
)

__all__ = [
    "Report",
    "archive_prompt",
    "comment_on_change_request",
    "create_environments",
    "create_prompt",
    "deploy",
    "discard_draft",
    "import_prompts",
    "open_change_request",
    "open_draft",
    "promote_change_request",
    "replace_version",
    "report_check",
    "restore_version",
    "review_change_request",
    "roll_back",
    "save_draft",
    "save_version",
    "unarchive_prompt",
    "update_policy",
    "update_prompt",
    "withdraw_change_request",
]
