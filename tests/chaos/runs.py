"""Run one schedule and check it."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import Any

import psycopg
import redis
from django.conf import settings
from django.db import connections

from apps.chatbots.models import Chatbot
from apps.infrastructure.postgres.errors import DATABASE_UNAVAILABLE
from apps.knowledge.models import UnchargedEmbedding
from apps.workspaces.models import Workspace
from tests.chaos.callers import run_callers
from tests.chaos.invariants import find_violations, is_at_rest
from tests.chaos.record import Target
from tests.chaos.schedules import LOAD_SECONDS, Fault, inject, make_schedule
from tests.chaos.stack import Stack
from tests.factories import (
    grant_credits,
    make_api_key,
    make_chatbot,
    make_language_model,
    make_webhook_endpoint,
    make_workspace,
)
from tests.knowledge.knowledge_factory import make_knowledge
from tests.webhook_receiver import Receiver

MODELS = ("sandbox/echo", "sandbox/slow", "sandbox/long")
KNOWLEDGE_MODES = ("on", "only")
TEXTS = ("one two three four five six", "five six seven eight nine ten")
CREDITS = 10_000_000
REST_SECONDS = 180.0


async def run_schedule(stack: Stack, rng: random.Random) -> tuple[list[Fault], str, list[str]]:
    """The faults of the schedule, what the load was, and what was violated."""
    faults = make_schedule(rng)
    with Receiver() as receiver:
        workspace_id, target = await _in_thread(lambda: _make_target(stack, receiver))

        async def break_things() -> None:
            await asyncio.gather(*(inject(fault, stack, _cut) for fault in faults))

        record = await run_callers(target, rng, LOAD_SECONDS, break_things)
        violations = await _in_thread(lambda: _check(workspace_id, record, receiver))
    return faults, str(record), violations


def _make_target(stack: Stack, receiver: Receiver) -> tuple[str, Target]:
    stack.wait_until_ready()
    workspace = make_workspace()
    grant_credits(workspace, CREDITS)
    make_webhook_endpoint(workspace, url=receiver.url)
    chatbots = [_make_chatbot(workspace, model) for model in MODELS]
    for mode in KNOWLEDGE_MODES:
        chatbots.append(_make_chatbot(workspace, "sandbox/cite", knowledge_mode=mode))
        for text in TEXTS:
            make_knowledge(chatbots[-1], text=text)
    UnchargedEmbedding.objects.filter(workspace=workspace).delete()
    ids = [chatbot.id for chatbot in chatbots]
    return workspace.id, Target(stack.web_urls, make_api_key(workspace), ids)


def _make_chatbot(workspace: Workspace, model: str, **fields: Any) -> Chatbot:
    language_model = make_language_model(model, credits_per_reply=2)
    return make_chatbot(workspace, language_model, rate_limit_requests=10_000, **fields)


def _check(workspace_id: str, record: Any, receiver: Receiver) -> list[str]:
    deadline = time.monotonic() + REST_SECONDS
    while not is_at_rest(workspace_id):
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    return list(find_violations(workspace_id, record, receiver))


async def _in_thread(function: Callable[[], Any]) -> Any:
    """Call the function with a database connection of its own; again after an outage."""

    def call() -> Any:
        try:
            for _ in range(100):
                try:
                    return function()
                except DATABASE_UNAVAILABLE:
                    connections.close_all()
                    time.sleep(0.2)
            return function()
        finally:
            connections.close_all()

    return await asyncio.to_thread(call)


def _cut(target: str) -> None:
    """Close the connections of all clients of PostgreSQL or Valkey, as a network fault would."""
    try:
        if target == "postgres":
            parameters = connections["default"].get_connection_params()
            names = ("host", "port", "user", "password", "dbname")
            with psycopg.connect(**{name: parameters[name] for name in names}) as own:
                own.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
                )
        else:
            with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2) as client:
                for kind in ("normal", "pubsub"):
                    client.client_kill_filter(_type=kind, skipme=True)
    except (psycopg.Error, redis.RedisError, OSError):
        pass  # it is away or frozen already
