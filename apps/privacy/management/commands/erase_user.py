from argparse import ArgumentParser
from typing import Any

from django.utils import timezone

from apps.audit.services import SYSTEM
from apps.infrastructure.commands import OperatorCommand
from apps.privacy.end_user_erasure import erase_end_user
from apps.workspaces.queries import get_workspace_by_slug
from apps.workspaces.services import request_erasure


class Command(OperatorCommand):
    help = "Erase the conversations and leads of one end user, found by metadata.userId."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("workspace", help="the workspace's slug")
        parser.add_argument("user_id", metavar="USER_ID")

    def run(self, *, workspace: str, user_id: str, **_: Any) -> dict[str, Any]:
        target = get_workspace_by_slug(workspace)
        now = timezone.now()
        erasure = request_erasure(workspace=target, user_id=user_id, actor=SYSTEM, claimed_at=now)
        done = erase_end_user(erasure, now=now)
        erasure.refresh_from_db()
        return {
            "workspace": target.slug,
            "done": done,
            "conversations": erasure.conversations,
            "leads": erasure.leads,
        }
