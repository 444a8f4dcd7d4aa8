from apps.prompts.actions.changes import (
    add_to_change_request,
    edit_change_request,
    open_change_request,
    rebase_change_request,
    remove_from_change_request,
    replace_version,
    start_change_request,
    submit_change_request,
    withdraw_change_request,
)
from apps.prompts.actions.comments import Anchor, comment_on_change_request, edit_comment, resolve_comment
from apps.prompts.actions.deployments import deploy, roll_back
from apps.prompts.actions.environments import create_environments, update_policy
from apps.prompts.actions.promoting import (
    cancel_schedule,
    promote_change_request,
    promote_scheduled,
    schedule_promotion,
    undo_release,
)
from apps.prompts.actions.prompts import (
    archive_prompt,
    create_prompt,
    discard_draft,
    open_draft,
    save_draft,
    save_version,
)
from apps.prompts.actions.reviewing import report_check, review_change_request, settle_change_requests

__all__ = [
    "Anchor",
    "add_to_change_request",
    "archive_prompt",
    "cancel_schedule",
    "comment_on_change_request",
    "create_environments",
    "create_prompt",
    "deploy",
    "discard_draft",
    "edit_change_request",
    "edit_comment",
    "open_change_request",
    "open_draft",
    "promote_change_request",
    "promote_scheduled",
    "rebase_change_request",
    "remove_from_change_request",
    "replace_version",
    "report_check",
    "resolve_comment",
    "review_change_request",
    "roll_back",
    "save_draft",
    "save_version",
    "schedule_promotion",
    "settle_change_requests",
    "start_change_request",
    "submit_change_request",
    "undo_release",
    "update_policy",
    "withdraw_change_request",
]
