from apps.prompts.actions.bypass import close_follow_up, promote_in_emergency, remind_of_look_back
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
from apps.prompts.actions.checks import accept_failure, report_external_check
from apps.prompts.actions.comments import Anchor, comment_on_change_request, edit_comment, resolve_comment
from apps.prompts.actions.deployments import deploy, roll_back, take_down
from apps.prompts.actions.environments import (
    create_environment,
    create_environments,
    delete_environment,
    move_environment,
    rename_environment,
    update_policy,
)
from apps.prompts.actions.folder import apply_folder
from apps.prompts.actions.importing import Report, import_prompts
from apps.prompts.actions.input_sets import delete_input_set, rename_input_set, save_input_set
from apps.prompts.actions.labels import move_label, remove_label
from apps.prompts.actions.library import archive_prompt, restore_version, unarchive_prompt, update_prompt
from apps.prompts.actions.promoting import (
    cancel_schedule,
    promote_change_request,
    promote_scheduled,
    schedule_promotion,
    undo_release,
)
from apps.prompts.actions.prompts import (
    create_prompt,
    discard_draft,
    open_draft,
    save_draft,
    save_version,
)
from apps.prompts.actions.publishing import person_behind, point_at, publish, publish_version, save_key_draft
from apps.prompts.actions.reviewing import report_check, review_change_request, settle_change_requests
from apps.prompts.actions.spending import decide_spend, refresh_spend_check

__all__ = [
    "Anchor",
    "Report",
    "accept_failure",
    "add_to_change_request",
    "apply_folder",
    "archive_prompt",
    "cancel_schedule",
    "close_follow_up",
    "comment_on_change_request",
    "create_environment",
    "create_environments",
    "create_prompt",
    "decide_spend",
    "delete_environment",
    "delete_input_set",
    "deploy",
    "discard_draft",
    "edit_change_request",
    "edit_comment",
    "import_prompts",
    "move_environment",
    "move_label",
    "open_change_request",
    "open_draft",
    "person_behind",
    "point_at",
    "promote_change_request",
    "promote_in_emergency",
    "promote_scheduled",
    "publish",
    "publish_version",
    "rebase_change_request",
    "refresh_spend_check",
    "remind_of_look_back",
    "remove_from_change_request",
    "remove_label",
    "rename_environment",
    "rename_input_set",
    "replace_version",
    "report_check",
    "report_external_check",
    "resolve_comment",
    "restore_version",
    "review_change_request",
    "roll_back",
    "save_draft",
    "save_input_set",
    "save_key_draft",
    "save_version",
    "schedule_promotion",
    "settle_change_requests",
    "start_change_request",
    "submit_change_request",
    "take_down",
    "unarchive_prompt",
    "undo_release",
    "update_policy",
    "update_prompt",
    "withdraw_change_request",
]
