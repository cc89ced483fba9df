"""Webhooks delivered by real workers, on commit and after a worker was killed."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import redis
from django.conf import settings

from tests.e2e.database_state import wait_until
from tests.e2e.webhook_events import (
    all_delivered,
    assert_all_received,
    delivery_attempts,
    emit_events,
)
from tests.factories import Team, make_webhook_endpoint
from tests.web_processes import WebProcess, make_caller, start_worker
from tests.webhook_receiver import Receiver, Reply


def test_delivery_of_a_killed_worker_is_repeated(live_team: Team, tmp_path: Path) -> None:
    workspace = live_team.workspace
    with Receiver(lambda _: Reply(delay=30)) as receiver:
        _, secret = make_webhook_endpoint(workspace, url=receiver.url)
        emit_events(workspace, 1)
        with start_worker(tmp_path, WEBHOOK_TIMEOUT_SECONDS=2) as killed:
            wait_until(lambda: receiver.received)
            os.killpg(killed.pid, signal.SIGKILL)
            killed.wait()
        assert (delivery_attempts(workspace), all_delivered(workspace)) == ([1], False)
        receiver.reply_to = lambda _: Reply()
        emit_events(workspace, 2)
        with start_worker(tmp_path):
            wait_until(lambda: all_delivered(workspace))
    assert_all_received(workspace, receiver, secret)
    assert (delivery_attempts(workspace), len(receiver.received)) == ([1, 1, 2], 4)


def test_events_of_a_chat_are_delivered_on_commit(
    web: WebProcess, live_team: Team, tmp_path: Path
) -> None:
    """The periodic task does not run, so the delivery was queued on commit."""
    redis.from_url(settings.REDIS_URL).delete("webhooks")  # queued by other tests
    caller = make_caller(web, live_team.workspace)
    with Receiver() as receiver, start_worker(tmp_path, WEBHOOK_SWEEP_SECONDS=3600):
        _, secret = make_webhook_endpoint(live_team.workspace, url=receiver.url)
        answer = caller.post("Hello").json()["data"]
        wait_until(lambda: len(receiver.received) == 2)
        wait_until(lambda: all_delivered(live_team.workspace))
    assert_all_received(live_team.workspace, receiver, secret)
    payloads = sorted(
        (each.payload for each in receiver.received), key=lambda each: each["timestamp"]
    )
    assert [each["type"] for each in payloads] == ["conversation.started", "message.completed"]
    assert payloads[1]["data"] == {
        "chatbotId": caller.url.split("/")[-2],
        "conversationId": answer["conversationId"],
        "turnId": answer["turnId"],
        "messageId": answer["messageId"],
        "response": "Echo: Hello",
        "finishReason": "stop",
        "usage": answer["usage"],
        "credits": {"charged": 0},
    }
