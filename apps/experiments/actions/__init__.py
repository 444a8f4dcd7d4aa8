from apps.experiments.actions.datasets import (
    add_cases,
    archive_dataset,
    create_dataset,
    edit_case,
    import_cases,
    keep_case,
    remove_case,
    tests_of,
)
from apps.experiments.actions.runs import Arm, cancel_run, resume_run, start_change_request_tests, start_run
from apps.experiments.actions.suites import archive_suite, create_suite, update_suite

__all__ = [
    "Arm",
    "add_cases",
    "archive_dataset",
    "archive_suite",
    "cancel_run",
    "create_dataset",
    "create_suite",
    "edit_case",
    "import_cases",
    "keep_case",
    "remove_case",
    "resume_run",
    "start_change_request_tests",
    "start_run",
    "tests_of",
    "update_suite",
]
