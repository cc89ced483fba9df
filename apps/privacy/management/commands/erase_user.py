from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.utils import timezone

from apps.audit.services import SYSTEM
from apps.infrastructure.commands import OperatorCommand
from apps.privacy.retention import erase_end_user
from apps.workspaces.queries import get_workspace_by_slug
from apps.workspaces.services import request_erasure


class Command(OperatorCommand):
    help = "Erase what one end-user of a workspace said, by the metadata.userId of their messages."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("workspace", help="the workspace's slug")
        parser.add_argument("user_id", metavar="USER_ID")

    def run(self, *, workspace: str, user_id: str, **_: Any) -> dict[str, Any]:
        found = get_workspace_by_slug(workspace)
        now = timezone.now()
        erasure = request_erasure(workspace=found, user_id=user_id, actor=SYSTEM, claimed_at=now)
        done = erase_end_user(erasure, now=now)
        erasure.refresh_from_db()
        return {
            "workspace": found.slug,
            "done": done,
            "conversations": erasure.conversations,
            "leads": erasure.leads,
        }
