"""The pages of a workspace, below /w/{slug}/."""

from __future__ import annotations

from django.urls import path

from apps.dashboard.views import (
    audit,
    chatbots,
    conversations,
    credits,
    keys,
    leads,
    members,
    overview,
    settings,
    webhooks,
)

app_name = "dashboard"

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("live", overview.live, name="live"),
    path("chatbots", chatbots.chatbots, name="chatbots"),
    path("chatbots/<str:chatbot_id>", chatbots.chatbot, name="chatbot"),
    path("conversations", conversations.conversations, name="conversations"),
    path("conversations/<str:conversation_id>", conversations.conversation, name="conversation"),
    path(
        "conversations/<str:conversation_id>/turns/<str:turn_id>",
        conversations.turn,
        name="turn",
    ),
    path("credits", credits.credits, name="credits"),
    path("credits/statement.csv", credits.statement, name="statement"),
    path("leads", leads.leads, name="leads"),
    path("leads.csv", leads.export, name="leads_export"),
    path("leads/<str:lead_id>", leads.lead, name="lead"),
    path("leads/<str:lead_id>/edit", leads.edit, name="edit_lead"),
    path("leads/<str:lead_id>/status", leads.move, name="move_lead"),
    path("leads/<str:lead_id>/delete", leads.delete, name="delete_lead"),
    path("webhooks", webhooks.webhooks, name="webhooks"),
    path("webhooks/new", webhooks.new, name="new_webhook"),
    path("webhooks/create", webhooks.create, name="create_webhook"),
    path("webhooks/<str:endpoint_id>", webhooks.webhook, name="webhook"),
    path("webhooks/<str:endpoint_id>/edit", webhooks.edit, name="edit_webhook"),
    path("webhooks/<str:endpoint_id>/switch", webhooks.switch, name="switch_webhook"),
    path("webhooks/<str:endpoint_id>/secret", webhooks.rotate, name="rotate_webhook_secret"),
    path("webhooks/<str:endpoint_id>/test", webhooks.test, name="test_webhook"),
    path("webhooks/<str:endpoint_id>/delete", webhooks.delete, name="delete_webhook"),
    path("deliveries/<str:delivery_id>", webhooks.delivery, name="delivery"),
    path("deliveries/<str:delivery_id>/resend", webhooks.resend, name="resend_delivery"),
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
