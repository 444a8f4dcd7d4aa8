from django.urls import path

from apps.accounts.views import audit, invitations, keys, members, workspaces

urlpatterns = [
    path("", workspaces.settings_home, name="settings_home"),
    path("profile/", workspaces.profile, name="profile"),
    path("leave/", members.leave, name="workspace_leave"),
    path("workspaces/", workspaces.workspace_list, name="workspace_list"),
    path("workspace/", workspaces.workspace_edit, name="workspace_edit"),
    path("members/", members.member_list, name="member_list"),
    path("members/<int:pk>/", members.member_edit, name="member_edit"),
    path("members/<int:pk>/remove/", members.member_remove, name="member_remove"),
    path("invitations/", invitations.invitation_list, name="invitation_list"),
    path("invitations/new/", invitations.invitation_create, name="invitation_create"),
    path("invitations/<int:pk>/link/", invitations.invitation_link, name="invitation_link"),
    path("invitations/<int:pk>/revoke/", invitations.invitation_revoke, name="invitation_revoke"),
    path("teams/", workspaces.team_list, name="team_list"),
    path("teams/new/", workspaces.team_create, name="team_create"),
    path("teams/<int:pk>/", workspaces.team_edit, name="team_edit"),
    path("keys/", keys.key_list, name="key_list"),
    path("keys/new/", keys.key_create, name="key_create"),
    path("keys/<int:pk>/secret/", keys.key_secret, name="key_secret"),
    path("keys/<int:pk>/revoke/", keys.key_revoke, name="key_revoke"),
    path("audit/", audit.audit_list, name="audit_list"),
    path("audit/verify/", audit.audit_verify, name="audit_verify"),
    path("audit/export.<slug:kind>", audit.audit_export, name="audit_export"),
    path("audit/<int:number>/", audit.audit_event, name="audit_event"),
]
