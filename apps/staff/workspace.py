"""The sections of a workspace's admin page."""

from datetime import datetime

from django.utils import timezone

from apps.accounts.models import User
from apps.api_keys.models import ApiKey
from apps.api_keys.queries import api_keys_for
from apps.chatbots.models import Chatbot
from apps.chatbots.queries import chatbots_for
from apps.credits.models import Account, LedgerEntry
from apps.staff.sections import (
    MAX_ROWS,
    Section,
    SectionBuilder,
    admin_link,
    admin_list_url,
    format_time,
    permitted_sections,
)
from apps.workspaces.models import Member, Workspace
from apps.workspaces.queries import members_for


def sections_for(workspace: Workspace, viewer: User) -> list[Section]:
    """Return the sections of a workspace that the user may see."""
    return permitted_sections(SECTIONS, viewer, workspace)


def credit_account(workspace: Workspace) -> Section:
    """The plan and balance."""
    account = Account.objects.filter(workspace=workspace).select_related("plan").first()
    return Section(
        title="Credits",
        headers=["Account", "Balance", "Reserved", "Available"],
        rows=[
            [
                admin_link(account, account.plan or "No plan"),
                f"{account.balance:,}",
                f"{account.held:,}",
                f"{account.balance - account.held:,}",
            ]
        ]
        if account
        else [],
        empty_text="No credits yet.",
    )


def ledger(workspace: Workspace) -> Section:
    """The newest ledger entries."""
    entries = LedgerEntry.objects.filter(workspace=workspace).order_by("-created_at", "-id")
    return Section(
        title="Ledger",
        headers=["Entry", "Kind", "Amount", "Balance after", "Reason"],
        rows=[
            [
                admin_link(entry, format_time(entry.created_at)),
                entry.get_kind_display(),
                f"{entry.amount:+,}",
                f"{entry.balance_after:,}",
                entry.reason,
            ]
            for entry in entries[:MAX_ROWS]
        ],
        empty_text="No entries yet.",
        list_url=admin_list_url(LedgerEntry, q=workspace.slug),
    )


def members(workspace: Workspace) -> Section:
    """The members, owners first."""
    return Section(
        title="Members",
        headers=["Member", "Role", "Joined"],
        rows=[
            [
                admin_link(member, member.user.email),
                member.get_role_display(),
                format_time(member.created_at),
            ]
            for member in members_for(workspace.id)[:MAX_ROWS]
        ],
        empty_text="No members.",
        list_url=admin_list_url(Member, q=workspace.slug),
    )


def api_keys(workspace: Workspace) -> Section:
    """The API keys, masked."""
    now = timezone.now()
    return Section(
        title="API keys",
        headers=["Name", "Key", "Permissions", "Last used", "Status"],
        rows=[
            [
                admin_link(key, key.name),
                key.shown,
                ", ".join(key.scopes),
                format_time(key.last_used_at),
                _key_status(key, now),
            ]
            for key in api_keys_for(workspace.id)[:MAX_ROWS]
        ],
        empty_text="No API keys.",
        list_url=admin_list_url(ApiKey, q=workspace.slug),
    )


def _key_status(key: ApiKey, now: datetime) -> str:
    if key.revoked_at:
        return "Revoked"
    return "Active" if key.is_live(now) else "Expired"


def chatbots(workspace: Workspace) -> Section:
    """The chatbots, including inactive ones."""
    rows = chatbots_for(workspace.id).select_related("language_model")
    return Section(
        title="Chatbots",
        headers=["Chatbot", "Model", "Rate limit", "Status"],
        rows=[
            [
                admin_link(chatbot, chatbot.name),
                chatbot.language_model.name,
                f"{chatbot.rate_limit_requests:,} per {chatbot.rate_limit_window_seconds:,} s",
                "Active" if chatbot.is_active else "Inactive",
            ]
            for chatbot in rows[:MAX_ROWS]
        ],
        empty_text="No chatbots.",
        list_url=admin_list_url(Chatbot, q=workspace.slug),
    )


SECTIONS: tuple[SectionBuilder, ...] = (
    ("credits.view_account", credit_account),
    ("credits.view_ledgerentry", ledger),
    ("workspaces.view_member", members),
    ("api_keys.view_apikey", api_keys),
    ("chatbots.view_chatbot", chatbots),
)
