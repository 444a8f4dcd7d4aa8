from apps.prompts.actions.bypass import close_follow_up, promote_in_emergency
from apps.prompts.actions.changes import (
    comment_on_change_request,
    open_change_request,
    promote_change_request,
    replace_version,
    report_check,
    review_change_request,
    withdraw_change_request,
)
from apps.prompts.actions.checks import accept_failure, report_external_check
from apps.prompts.actions.deployments import deploy, roll_back
from apps.prompts.actions.environments import (
    create_environment,
    create_environments,
    delete_environment,
    move_environment,
    rename_environment,
    update_policy,
)
from apps.prompts.actions.prompts import (
    archive_prompt,
    create_prompt,
    discard_draft,
    open_draft,
    save_draft,
    save_version,
)
from apps.prompts.actions.spending import decide_spend, refresh_spend_check

__all__ = [
    "accept_failure",
    "archive_prompt",
    "close_follow_up",
    "comment_on_change_request",
    "create_environment",
    "create_environments",
    "create_prompt",
    "decide_spend",
    "delete_environment",
    "deploy",
    "discard_draft",
    "move_environment",
    "open_change_request",
    "open_draft",
    "promote_change_request",
    "promote_in_emergency",
    "refresh_spend_check",
    "rename_environment",
    "replace_version",
    "report_check",
    "report_external_check",
    "review_change_request",
    "roll_back",
    "save_draft",
    "save_version",
    "update_policy",
    "withdraw_change_request",
]
