"""The counters on the dashboard's WebSocket."""

from __future__ import annotations

from typing import Any

from tests.dashboard.realtime.live_socket import live_socket
from tests.factories import Team
from tests.web_processes import Caller


def test_counters_are_sent_immediately_and_on_change(caller: Caller, live_team: Team) -> None:
    def counters(running: int, recent: int, balance: int, held: int) -> dict[str, Any]:
        credits = {"balance": balance, "held": held}
        context = {"type": "counters", "requestId": "c"}
        return {**context, "runningTurns": running, "turnsLastMinute": recent, "credits": credits}

    with live_socket(caller.web, live_team.workspace, live_team.bob) as socket:
        socket.receive()
        socket.send("counters.watch", requestId="c")
        first = socket.receive()
        assert first.pop("xRequestId").startswith("req_")
        assert first == counters(0, 0, 1000, 0)
        caller.post(" ".join(["word"] * 20))
        assert socket.receive() == counters(1, 1, 1000, 1)
        assert socket.receive() == counters(0, 1, 999, 0)
