from argparse import ArgumentParser
from typing import Any

from apps.credits.services import grant
from apps.infrastructure.commands import OperatorCommand
from apps.workspaces.queries import get_workspace_by_slug


class Command(OperatorCommand):
    help = "Give a workspace credits, with a ledger entry that says why."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("workspace", help="the workspace's slug")
        parser.add_argument("credits", type=int, metavar="N")
        parser.add_argument("--reason", required=True, metavar="T")

    def run(self, *, workspace: str, credits: int, reason: str, **_: Any) -> dict[str, Any]:
        target = get_workspace_by_slug(workspace)
        entry = grant(workspace_id=target.id, credits=credits, reason=reason)
        return {"workspace": target.slug, "balance": entry.balance_after, "entry": entry.id}
