from apps.prompts.views.blast import prompt_blast
from apps.prompts.views.changes import (
    change_request_collect,
    change_request_detail,
    change_request_edit,
    change_request_list,
    change_request_new,
    change_request_rebase,
    change_request_remove,
    change_request_replace,
    change_request_submit,
    change_request_withdraw,
)
from apps.prompts.views.comparing import version_compare
from apps.prompts.views.decisions import (
    change_request_dossier,
    change_request_promote,
    change_request_review,
    change_request_schedule,
    change_request_undo,
    change_request_unschedule,
)
from apps.prompts.views.deployments import deployment_list, version_deploy, version_roll_back, version_take_down
from apps.prompts.views.discussions import change_request_comment, comment_edit, comment_resolve
from apps.prompts.views.drafts import (
    draft_company,
    draft_convert,
    draft_discard,
    draft_edit,
    draft_preview,
    draft_references,
    draft_save,
    version_save,
)
from apps.prompts.views.environments import (
    environment_delete,
    environment_edit,
    environment_list,
    environment_move,
    environment_preview,
    environment_rename,
)
from apps.prompts.views.exceptions import (
    change_request_exceptions,
    check_accept,
    follow_up_close,
    follow_up_list,
    promote_in_emergency,
    spend_refresh,
)
from apps.prompts.views.history import history_page
from apps.prompts.views.importing import prompt_export, prompt_export_all, prompt_import, prompt_import_apply
from apps.prompts.views.input_sets import input_set_delete, input_set_rename, input_set_save
from apps.prompts.views.labels import label_list, label_move, label_remove
from apps.prompts.views.library import prompt_archive, prompt_list, prompt_settings, prompt_unarchive, prompt_waiting
from apps.prompts.views.prompts import prompt_detail, prompt_new, prompt_use
from apps.prompts.views.running import prompt_running
from apps.prompts.views.spending import spend_approval, spend_approval_list, spend_decide
from apps.prompts.views.tries import prompt_try, prompt_try_diff, prompt_try_stream
from apps.prompts.views.versions import version_detail, version_list, version_restore

__all__ = [
    "change_request_collect",
    "change_request_comment",
    "change_request_detail",
    "change_request_dossier",
    "change_request_edit",
    "change_request_exceptions",
    "change_request_list",
    "change_request_new",
    "change_request_promote",
    "change_request_rebase",
    "change_request_remove",
    "change_request_replace",
    "change_request_review",
    "change_request_schedule",
    "change_request_submit",
    "change_request_undo",
    "change_request_unschedule",
    "change_request_withdraw",
    "check_accept",
    "comment_edit",
    "comment_resolve",
    "deployment_list",
    "draft_company",
    "draft_convert",
    "draft_discard",
    "draft_edit",
    "draft_preview",
    "draft_references",
    "draft_save",
    "environment_delete",
    "environment_edit",
    "environment_list",
    "environment_move",
    "environment_preview",
    "environment_rename",
    "follow_up_close",
    "follow_up_list",
    "history_page",
    "input_set_delete",
    "input_set_rename",
    "input_set_save",
    "label_list",
    "label_move",
    "label_remove",
    "promote_in_emergency",
    "prompt_archive",
    "prompt_blast",
    "prompt_detail",
    "prompt_export",
    "prompt_export_all",
    "prompt_import",
    "prompt_import_apply",
    "prompt_list",
    "prompt_new",
    "prompt_running",
    "prompt_settings",
    "prompt_try",
    "prompt_try_diff",
    "prompt_try_stream",
    "prompt_unarchive",
    "prompt_use",
    "prompt_waiting",
    "spend_approval",
    "spend_approval_list",
    "spend_decide",
    "spend_refresh",
    "version_compare",
    "version_deploy",
    "version_detail",
    "version_list",
    "version_restore",
    "version_roll_back",
    "version_save",
    "version_take_down",
]
