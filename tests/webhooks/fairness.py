"""Measure how long deliveries of ordinary workspaces take beside one that hangs.

    python -m local run -- python -m tests.webhooks.fairness

Twenty ordinary workspaces emit an event every half second to a receiver that answers at once; the
hostile one has twenty endpoints that never answer, with a hundred events each. Real threads, real
sockets and PostgreSQL; a time-out of 3 seconds. Takes about half a minute.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import quantiles

import django
from django.conf import settings
from django.core.management import call_command
from django.db import connections

SENDERS = 20
WORKSPACES = 20
SECONDS = 10
HOSTILE_ENDPOINTS, HOSTILE_EVENTS = 20, 100


def main() -> None:
    """Print the figures alone, then beside the hostile workspace."""
    django.setup()
    call_command("migrate", verbosity=0)
    settings.WEBHOOK_TIMEOUT_SECONDS = 3.0
    settings.WEBHOOK_BACKOFF_SECONDS = (300.0,) * 9
    from apps.webhooks.models import EventType
    from apps.webhooks.services import emit
    from tests.factories import make_webhook_endpoint, make_workspace
    from tests.webhook_receiver import Received, Receiver, Reply

    arrived: dict[str, float] = {}

    def note(received: Received) -> Reply:
        arrived.setdefault(received.payload["data"]["id"], time.monotonic())
        return Reply()

    with Receiver(note) as receiver, Receiver(lambda _: Reply(delay=60)) as hanging, senders():
        workspaces = [make_workspace() for _ in range(WORKSPACES)]
        for workspace in workspaces:
            make_webhook_endpoint(workspace, "lead.created", url=receiver.url)

        def emit_to(workspace_id: str, number: str) -> None:
            emit(workspace_id=workspace_id, event=EventType.LEAD_CREATED, data={"id": number})

        def measure(title: str) -> None:
            emitted: dict[str, float] = {}
            for tick in range(SECONDS * 2):
                for workspace in workspaces:
                    number = f"{title}-{tick}-{workspace.id}"
                    emitted[number] = time.monotonic()
                    emit_to(workspace.id, number)
                time.sleep(0.5)
            wait_for(lambda: emitted.keys() <= arrived.keys())
            waits = sorted(arrived[number] - emitted[number] for number in emitted)
            cuts = quantiles(waits, n=20)
            print(
                f"{title:<28} {len(waits)} events   p50 {cuts[9] * 1000:5.0f} ms"
                f"   p95 {cuts[18] * 1000:5.0f} ms   max {waits[-1] * 1000:5.0f} ms",
                flush=True,
            )

        measure("alone")
        hostile = make_workspace()
        for _ in range(HOSTILE_ENDPOINTS):
            make_webhook_endpoint(hostile, "lead.created", url=hanging.url)
        for number in range(HOSTILE_EVENTS):
            emit_to(hostile.id, f"hostile-{number}")
        measure("beside a hanging workspace")
        print(f"requests to hanging endpoints: {hanging.connections}")


@contextmanager
def senders() -> Iterator[None]:
    """Threads that send what is due, as the workers' do."""
    from apps.webhooks.delivery import deliver_due

    ended = threading.Event()

    def send() -> None:
        while not ended.is_set():
            deliver_due(seconds=1.0)
            ended.wait(0.02)
        connections.close_all()

    threads = [threading.Thread(target=send, daemon=True) for _ in range(SENDERS)]
    for thread in threads:
        thread.start()
    yield
    ended.set()
    for thread in threads:
        thread.join(timeout=10)


def wait_for(done: Callable[[], bool]) -> None:
    """Wait, for a minute at most."""
    deadline = time.monotonic() + 60
    while not done() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert done(), "Some events have not arrived."


if __name__ == "__main__":
    main()
