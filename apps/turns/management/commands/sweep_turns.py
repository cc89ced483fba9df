from argparse import ArgumentParser
from typing import Any

from apps.infrastructure.commands import OperatorCommand
from apps.turns.sweep import sweep_turns


class Command(OperatorCommand):
    help = (
        "Settle the turns whose process died: text kept and charged, the rest of the hold released."
        " Silence counts while sweeps run every few seconds: alone, one needs --now."
    )

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--now",
            action="store_true",
            help="trust the heartbeats as they are: only if PostgreSQL was not away just before",
        )

    def run(self, *, now: bool, **_: Any) -> dict[str, Any]:
        turns = sweep_turns(now=now)
        return {"abandoned": len(turns), "turns": turns}
