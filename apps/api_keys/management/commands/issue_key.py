from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from apps.api_keys.services import issue_key
from apps.api_kit.callers import Scope
from apps.infrastructure.commands import OperatorCommand
from apps.workspaces.queries import get_workspace_by_slug


def parse_datetime(text: str) -> datetime:
    """Parse an ISO 8601 time, as UTC if it has no offset."""
    parsed = datetime.fromisoformat(text)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


class Command(OperatorCommand):
    help = "Issue an API key. It is shown this once."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("workspace", help="the workspace's slug")
        parser.add_argument("--name", required=True, help="what the key is for")
        parser.add_argument(
            "--scopes", default=Scope.CHAT, help="comma-separated: " + ", ".join(Scope.values)
        )
        parser.add_argument("--expires", type=parse_datetime, metavar="ISO", help="when it ends")

    def run(
        self, *, workspace: str, name: str, scopes: str, expires: datetime | None, **_: Any
    ) -> dict[str, Any]:
        key, secret = issue_key(
            workspace=get_workspace_by_slug(workspace),
            name=name,
            scopes=[scope.strip() for scope in scopes.split(",")],
            expires_at=expires,
        )
        return {"id": key.id, "api_key": secret}
