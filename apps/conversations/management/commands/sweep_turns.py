from __future__ import annotations

from typing import Any

from apps.conversations.services import sweep_turns
from apps.core.management.base import OperatorCommand


class Command(OperatorCommand):
    help = "Settle the turns whose process died: text kept, hold released."

    def run(self, **_: Any) -> dict[str, Any]:
        turns = sweep_turns()
        return {"abandoned": len(turns), "turns": turns}
