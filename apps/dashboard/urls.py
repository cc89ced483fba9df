"""The pages of a workspace, below /w/{slug}/."""

from __future__ import annotations

from django.urls import path

from apps.dashboard.views import audit, chatbots, keys, members, overview, settings

app_name = "dashboard"

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("live", overview.live, name="live"),
    path("chatbots", chatbots.chatbots, name="chatbots"),
    path("chatbots/<str:chatbot_id>", chatbots.chatbot, name="chatbot"),
    path("keys", keys.keys, name="keys"),
    path("keys/create", keys.create, name="create_key"),
    path("keys/<str:key_id>/revoke", keys.revoke, name="revoke_key"),
    path("settings", settings.settings, name="settings"),
    path("settings/name", settings.rename, name="rename_workspace"),
    path("settings/delete", settings.delete, name="delete_workspace"),
    path("settings/keep", settings.keep, name="keep_workspace"),
    path("members", members.members, name="members"),
    path("members/invite", members.invite, name="invite"),
    path("members/leave", members.leave, name="leave_workspace"),
    path("members/<str:member_id>/role", members.change_role, name="change_role"),
    path("members/<str:member_id>/remove", members.remove, name="remove_member"),
    path("members/<str:member_id>/transfer", members.transfer, name="transfer_ownership"),
    path(
        "invitations/<str:invitation_id>/revoke",
        members.revoke_invitation,
        name="revoke_invitation",
    ),
    path("audit", audit.audit_log, name="audit"),
    path("audit.csv", audit.export, name="audit_export"),
]
