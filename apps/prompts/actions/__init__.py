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
from apps.prompts.actions.labels import move_label, remove_label
from apps.prompts.actions.prompts import (
    archive_prompt,
    create_prompt,
    discard_draft,
    open_draft,
    save_draft,
    save_version,
)
from apps.prompts.actions.publishing import person_behind, point_at, publish, publish_version, save_key_draft

__all__ = [
    "archive_prompt",
    "comment_on_change_request",
    "create_environments",
    "create_prompt",
    "deploy",
    "discard_draft",
    "move_label",
    "open_change_request",
    "open_draft",
    "person_behind",
    "point_at",
    "promote_change_request",
    "publish",
    "publish_version",
    "remove_label",
    "replace_version",
    "report_check",
    "review_change_request",
    "roll_back",
    "save_draft",
    "save_key_draft",
    "save_version",
    "update_policy",
    "withdraw_change_request",
]
