from typing import Any

from apps.infrastructure.commands import OperatorCommand
from apps.turns.sweep import sweep_turns


class Command(OperatorCommand):
    help = (
        "Settle the turns whose process died: text kept and charged, the rest of the hold released."
        " Silence counts while sweeps run every few seconds: alone, one settles nothing."
    )

    def run(self, **_: Any) -> dict[str, Any]:
        turns = sweep_turns()
        return {"abandoned": len(turns), "turns": turns}
