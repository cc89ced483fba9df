from argparse import ArgumentParser
from typing import Any

from apps.credits.queries import balance_for, ledger_sum
from apps.infrastructure.commands import OperatorCommand
from apps.workspaces.queries import get_workspace_by_slug


class Command(OperatorCommand):
    help = "Show a workspace's credits: the balance, what is held, and the sum of the ledger."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("workspace", help="the workspace's slug")

    def run(self, *, workspace: str, **_: Any) -> dict[str, Any]:
        target = get_workspace_by_slug(workspace)
        credits = balance_for(target.id)
        return {
            "workspace": target.slug,
            "balance": credits.balance,
            "held": credits.held,
            "ledger_sum": ledger_sum(target.id),
        }
