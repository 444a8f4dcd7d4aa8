from django.urls import path

from apps.experiments.views import datasets, home, panels, playground, runs, suites

urlpatterns = [
    path("", home.experiments_home, name="experiments_home"),
    path("datasets/", datasets.dataset_list, name="dataset_list"),
    path("datasets/new/", datasets.dataset_create, name="dataset_create"),
    path("datasets/<int:dataset_id>/", datasets.dataset_detail, name="dataset_detail"),
    path("datasets/<int:dataset_id>/import/", datasets.dataset_import, name="dataset_import"),
    path("datasets/<int:dataset_id>/archive/", datasets.dataset_archive, name="dataset_archive"),
    path("datasets/<int:dataset_id>/cases/new/", datasets.case_create, name="case_create"),
    path("cases/<int:case_id>/", datasets.case_edit, name="case_edit"),
    path("cases/<int:case_id>/remove/", datasets.case_remove, name="case_remove"),
    path("suites/new/", suites.suite_create, name="suite_create"),
    path("suites/<int:suite_id>/", suites.suite_detail, name="suite_detail"),
    path("suites/<int:suite_id>/edit/", suites.suite_edit, name="suite_edit"),
    path("suites/<int:suite_id>/archive/", suites.suite_archive, name="suite_archive"),
    path("suites/<int:suite_id>/runs/", suites.run_start, name="run_start"),
    path("runs/", runs.run_list, name="run_list"),
    path("runs/<int:run_id>/", runs.run_detail, name="run_detail"),
    path("runs/<int:run_id>/cancel/", runs.run_cancel, name="run_cancel"),
    path("runs/<int:run_id>/resume/", runs.run_resume, name="run_resume"),
    path("runs/<int:run_id>/outputs.csv", runs.run_export, name="run_export"),
    path("runs/<int:run_id>/cases/<int:case_id>/", runs.run_case, name="run_case"),
    path("outputs/<int:output_id>/", runs.output_detail, name="output_detail"),
    path("panels/prompt/<int:prompt_id>/", panels.version_pass_rates, name="version_pass_rates"),
    path("panels/prompt/<int:prompt_id>/cases/", playground.prompt_cases, name="prompt_cases"),
    path("panels/prompt/<int:prompt_id>/cases/keep/", playground.case_keep, name="case_keep"),
    path("panels/change-request/<int:request_id>/", panels.change_request_tests, name="change_request_tests"),
    path(
        "panels/change-request/<int:request_id>/start/",
        panels.change_request_tests_start,
        name="change_request_tests_start",
    ),
]
