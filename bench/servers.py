"""Run the servers that `make bench` compares: Parley and the floor.

LiteLLM's proxy is in `litellm_proxy`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from apps.api_keys.queries import hash_secret
from apps.chatbots.models import Chatbot
from bench.load import Target
from bench.processes import free_port, run_process, run_web_server, wait_until_listening
from bench.targets import FLOOR
from bench.tenants import Tenant, create_tenant

TOKENS, TOKENS_PER_SECOND = 100, 36.0
MESSAGE = "Hello, how can you help me?"


@dataclass(frozen=True)
class Server:
    """A server under test: its process, and the request for each kind of turn.

    `json`: the model replies immediately. `stream`: it sends TOKENS_PER_SECOND. `brief`: the same,
    but only ten tokens. `workers`: number of web processes.
    """

    name: str
    pid: int
    json: Target
    stream: Target
    brief: Target
    workers: int = 1


@dataclass(frozen=True)
class BenchTenant:
    """A tenant with a chatbot for each of the fake server's models."""

    tenant: Tenant
    chatbots: Mapping[str, Chatbot]


def create_bench_tenant(api_base: str) -> BenchTenant:
    """Create a tenant whose models are the fake server's."""
    tenant = create_tenant()
    models = ("at-once", "paced", "brief")
    return BenchTenant(
        tenant,
        {model: tenant.create_chatbot(f"openai/{model}", api_base=api_base) for model in models},
    )


@contextmanager
def run_fake_model(directory: Path) -> Iterator[str]:
    """Run the fake model server; yields its API base URL."""
    port, log = free_port(), directory / "upstream.log"
    command = [sys.executable, "-m", "bench.fake_model", "--port", str(port)]
    command += ["--tokens", str(TOKENS), "--pace", str(TOKENS_PER_SECOND)]
    with run_process(command, log) as started:
        wait_until_listening(started, port, log)
        yield f"http://127.0.0.1:{port}/v1"


def fake_model_target(api_base: str) -> Target:
    """The fake model server itself, for the model `brief`."""
    return Target(f"{api_base}/chat/completions", {"model": "brief", "stream": True})


@contextmanager
def run_parley(
    name: str, bench: BenchTenant, directory: Path, *, workers: int = 1
) -> Iterator[Server]:
    """Run Parley as it is deployed."""
    settings_module = "config.settings.local"
    with run_web_server(directory, settings_module=settings_module, workers=workers) as web:

        def target(model: str, *, stream: bool = True) -> Target:
            url = f"{web.url}/api/v1/chatbots/{bench.chatbots[model].id}/chat"
            return Target(url, {"message": MESSAGE, "stream": stream}, bench.tenant.headers)

        yield Server(
            name,
            web.pid,
            target("at-once", stream=False),
            target("paced"),
            target("brief"),
            workers,
        )


@contextmanager
def run_floor(bench: BenchTenant, api_base: str, directory: Path) -> Iterator[Server]:
    """Run the minimal ASGI program of `bench/floor`."""
    chatbot = bench.chatbots["at-once"]
    caller = {
        "key_digest": hash_secret(bench.tenant.api_key),
        "api_base": api_base,
        "chatbot_id": chatbot.id,
        "turn": {
            "workspace_id": bench.tenant.workspace.id,
            "chatbot_id": chatbot.id,
            "model_name": chatbot.language_model.name,
            "credits_per_reply": 1,
            "credits_per_1k_input": 0,
            "credits_per_1k_output": 0,
            "credits_held": 1,
        },
    }
    port, log = free_port(), directory / "floor.log"
    # The server and threads of `config/server.py`, without what it adds to granian.
    command = [
        *(sys.executable, "-m", "granian", "--interface", "asgi", "--http", "1"),
        *("--runtime-mode", "mt", "--loop", "uvloop", "--no-access-log", "--workers", "1"),
        *("--backlog", "2048", "--backpressure", "8192"),
        *("--host", "127.0.0.1", "--port", str(port), "bench.floor.app:application"),
    ]
    environment = {
        **os.environ,
        "FLOOR_CALLER": json.dumps(caller),
        "REDIS_URL": settings.REDIS_URL,
    }
    with run_process(command, log, environment) as started:
        wait_until_listening(started, port, log)

        def target(model: str, *, stream: bool = True) -> Target:
            body = {"model": model, "message": MESSAGE, "stream": stream}
            return Target(f"http://127.0.0.1:{port}/chat", body, bench.tenant.headers)

        yield Server(
            FLOOR, started.pid, target("at-once", stream=False), target("paced"), target("brief")
        )
