"""What Parley's staff may do in the admin: four groups, and nothing for anybody else.

The groups belong to the code: each migration gives them exactly what is written here, so that a
right which somebody ticked by hand does not stay unseen. For other rights make another group.
`docs/staff-roles.md` is the table for people; a test walks the admin and holds it to both.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from django.apps import AppConfig
from django.contrib.auth.models import Group, Permission

APP_PREFIX = "apps."

GROUP_PERMISSIONS: Mapping[str, tuple[str, ...]] = {
    "support": (
        "*.view_*",
        "adjustments.give_goodwill",
        "api_keys.revoke_apikey",
        "conversations.read_conversation",
    ),
    "finance": (
        "accounts.view_user",
        "adjustments.view_*",
        "adjustments.adjust_credits",
        "adjustments.approve_adjustment",
        "audit.view_*",
        "conversations.view_turn",
        "credits.view_*",
        "credits.decide_creditrequest",
        "credits.move_account_to_plan",
        "workspaces.view_*",
    ),
    "operator": (
        "chatbots.view_*",
        "chatbots.add_languagemodel",
        "chatbots.change_languagemodel",
        "chatbots.test_languagemodel",
        "conversations.view_turn",
        "credits.view_plan",
        "credits.add_plan",
        "credits.change_plan",
        "workspaces.view_workspace",
    ),
    "auditor": ("*.view_*", "conversations.read_conversation"),
}
"""Group → the permissions it has, as patterns of `app.codename`."""


def sync_group_permissions(sender: AppConfig, **_: Any) -> None:
    """After an app has migrated: give each group its permissions there, and take away others."""
    if not sender.name.startswith(APP_PREFIX):
        return
    there = Permission.objects.filter(content_type__app_label=sender.label)
    for group in Group.objects.filter(name__in=GROUP_PERMISSIONS):
        given = [
            permission for permission in there if _is_granted(group.name, sender.label, permission)
        ]
        group.permissions.remove(*there.exclude(pk__in=[permission.pk for permission in given]))
        group.permissions.add(*given)


def _is_granted(role: str, app: str, permission: Permission) -> bool:
    name = f"{app}.{permission.codename}"
    return any(fnmatchcase(name, pattern) for pattern in GROUP_PERMISSIONS[role])
