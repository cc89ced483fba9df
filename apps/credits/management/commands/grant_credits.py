from argparse import ArgumentParser
from typing import Any

from django.db import transaction

from apps.accounts.queries import get_staff_user
from apps.credits.services import grant
from apps.credits.two_person_rule import COMMAND_REFERENCE, require_command_may_grant
from apps.infrastructure.commands import OperatorCommand
from apps.workspaces.queries import get_workspace_by_slug, is_member


class Command(OperatorCommand):
    help = "Give a workspace credits, with a ledger entry that says why."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("workspace", help="the workspace's slug")
        parser.add_argument("credits", type=int, metavar="N")
        parser.add_argument("--reason", required=True, metavar="T")
        parser.add_argument("--by", metavar="EMAIL", help="the member of staff who gives them")
        parser.add_argument("--approved-by", metavar="EMAIL", help="a second one, above the limit")

    @transaction.atomic
    def run(
        self,
        *,
        workspace: str,
        credits: int,
        reason: str,
        by: str | None,
        approved_by: str | None,
        **_: Any,
    ) -> dict[str, Any]:
        target = get_workspace_by_slug(workspace)
        if approved_by and not by:
            raise ValueError("Name who gives the credits, too: --by.")
        people = [get_staff_user(email) for email in (by, approved_by) if email]
        if len(people) != len(set(people)):
            raise ValueError("The second person must be another one.")
        for person in people:
            if is_member(person, target.id):
                raise ValueError(f"{person.email} belongs to this workspace.")
        author, second = [*people, None, None][:2]
        entry = grant(
            workspace_id=target.id,
            credits=credits,
            reason=reason,
            reference=COMMAND_REFERENCE,
            created_by=author,
            approved_by=second,
        )
        if not people:
            require_command_may_grant(workspace_id=target.id)
        return {"workspace": target.slug, "balance": entry.balance_after, "entry": entry.id}
