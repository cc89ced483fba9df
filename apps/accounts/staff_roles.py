"""The staff groups of the admin and their permissions.

Every `migrate` resets the groups to the permissions listed here, so that a permission that was
ticked by hand does not go unnoticed. For other permissions, create another group.
`docs/reference/staff-roles.md` documents the groups; a test checks the admin against both.
"""

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
        "chatbots.add_embeddingmodel",
        "chatbots.change_embeddingmodel",
        "chatbots.test_embeddingmodel",
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
"""Group name → permissions, as `fnmatch` patterns of `app_label.codename`."""


def sync_group_permissions(sender: AppConfig, **_: Any) -> None:
    """Set the groups' permissions in the app that has just migrated; remove all others there."""
    if not sender.name.startswith(APP_PREFIX):
        return
    permissions = Permission.objects.filter(content_type__app_label=sender.label)
    for group in Group.objects.filter(name__in=GROUP_PERMISSIONS):
        granted = [each for each in permissions if _is_granted(group.name, sender.label, each)]
        group.permissions.remove(*permissions.exclude(pk__in=[each.pk for each in granted]))
        group.permissions.add(*granted)


def _is_granted(group_name: str, app_label: str, permission: Permission) -> bool:
    name = f"{app_label}.{permission.codename}"
    return any(fnmatchcase(name, pattern) for pattern in GROUP_PERMISSIONS[group_name])
