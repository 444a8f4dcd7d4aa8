from django.urls import path

from apps.prompts import views

urlpatterns = [
    path("", views.prompt_list, name="prompt_list"),
    path("new/", views.prompt_new, name="prompt_new"),
    path("requests/", views.change_request_list, name="change_request_list"),
    path("requests/<int:number>/", views.change_request_detail, name="change_request_detail"),
    path("requests/<int:number>/review/", views.change_request_review, name="change_request_review"),
    path("requests/<int:number>/comment/", views.change_request_comment, name="change_request_comment"),
    path("requests/<int:number>/replace/", views.change_request_replace, name="change_request_replace"),
    path("requests/<int:number>/promote/", views.change_request_promote, name="change_request_promote"),
    path("requests/<int:number>/withdraw/", views.change_request_withdraw, name="change_request_withdraw"),
    path("requests/<int:number>/dossier/", views.change_request_dossier, name="change_request_dossier"),
    path("environments/", views.environment_list, name="environment_list"),
    path("environments/<slug:name>/", views.environment_edit, name="environment_edit"),
    path("<int:prompt_id>/", views.prompt_detail, name="prompt_detail"),
    path("<int:prompt_id>/use/", views.prompt_use, name="prompt_use"),
    path("<int:prompt_id>/archive/", views.prompt_archive, name="prompt_archive"),
    path("<int:prompt_id>/draft/", views.draft_edit, name="draft_edit"),
    path("<int:prompt_id>/draft/save/", views.draft_save, name="draft_save"),
    path("<int:prompt_id>/draft/discard/", views.draft_discard, name="draft_discard"),
    path("<int:prompt_id>/draft/version/", views.version_save, name="version_save"),
    path("<int:prompt_id>/versions/", views.version_list, name="version_list"),
    path("<int:prompt_id>/versions/<int:number>/", views.version_detail, name="version_detail"),
    path("<int:prompt_id>/versions/<int:number>/restore/", views.version_restore, name="version_restore"),
    path("<int:prompt_id>/versions/<int:number>/deploy/", views.version_deploy, name="version_deploy"),
    path("<int:prompt_id>/compare/", views.version_compare, name="version_compare"),
    path("<int:prompt_id>/deployments/", views.deployment_list, name="deployment_list"),
    path("<int:prompt_id>/roll-back/", views.version_roll_back, name="version_roll_back"),
    path("<int:prompt_id>/propose/", views.change_request_new, name="change_request_new"),
]
