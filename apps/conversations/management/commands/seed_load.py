import time
from argparse import ArgumentParser
from typing import Any

from apps.accounts.models import User
from apps.api_keys.services import issue_key
from apps.api_kit.callers import Scope
from apps.chatbots.services import create_language_model
from apps.conversations.seeding import RATE_LIMIT, SeedSize, create_workspaces, seed_conversations
from apps.core.ids import new_id
from apps.infrastructure.commands import OperatorCommand
from apps.workspaces.models import Workspace


class Command(OperatorCommand):
    help = "Fill new workspaces with conversations of the past, for benchmarks."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("--workspaces", type=int, default=1, metavar="N")
        parser.add_argument("--chatbots", type=int, default=1, metavar="N", help="per workspace")
        parser.add_argument(
            "--conversations", type=int, default=1_000_000, metavar="N", help="in total"
        )
        parser.add_argument("--turns", type=int, default=1, metavar="N", help="per conversation")
        parser.add_argument(
            "--days", type=int, default=90, metavar="N", help="age of the oldest one"
        )

    def run(
        self,
        *,
        workspaces: int,
        chatbots: int,
        conversations: int,
        turns: int,
        days: int,
        **options: Any,
    ) -> dict[str, Any]:
        if min(workspaces, chatbots, conversations, turns, days) < 1:
            raise ValueError("Give numbers of at least 1.")
        started = time.monotonic()
        run = new_id()
        owner = User.objects.create_user(f"load-{run}@example.com")
        model = create_language_model(
            name=f"load-{run}", litellm_model="sandbox/echo", credits_per_reply=1
        )
        seed_workspaces = create_workspaces(
            slug=f"load-{run}",
            owner=owner,
            language_model=model,
            workspaces=workspaces,
            chatbots=chatbots,
        )
        first = Workspace.objects.get(id=seed_workspaces[0].workspace_id)
        _, secret = issue_key(
            workspace=first,
            name="load",
            scopes=Scope.values,
            rate_limit_per_hour=RATE_LIMIT,
        )
        size = SeedSize(conversations=conversations, turns=turns, days=days)

        def print_progress(done: int) -> None:
            if not options["json"]:
                self.stderr.write(f"{done:,} conversations, {time.monotonic() - started:.0f} s")

        seed_conversations(workspaces=seed_workspaces, size=size, on_progress=print_progress)
        return {
            "workspaces": workspaces,
            "chatbots": workspaces * chatbots,
            "conversations": conversations,
            "turns": conversations * turns,
            "messages": 2 * conversations * turns,
            "seconds": round(time.monotonic() - started, 1),
            "workspace": first.slug,
            "owner_email": owner.email,
            "chatbot_id": seed_workspaces[0].chatbots[0].id,
            "api_key": secret,
        }
