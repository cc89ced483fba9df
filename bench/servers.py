"""The servers that `make bench` measures, each with the same work: Parley, the floor and, from
`run_litellm_proxy`, LiteLLM's proxy."""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from apps.accounts.models import User
from apps.api_keys.queries import hash_secret
from apps.api_keys.services import issue_key
from apps.chatbots.models import Chatbot
from apps.chatbots.services import create_chatbot, create_language_model
from apps.credits.services import grant
from apps.workspaces.models import Workspace
from apps.workspaces.services import create_workspace
from bench.load import Target
from bench.processes import run_process, wait_until_listening
from bench.targets import FLOOR
from local.web import web_command
from tests.web_processes import free_port, start_web

TOKENS, TOKENS_PER_SECOND = 100, 36.0
MESSAGE = "Hello, how can you help me?"


@dataclass(frozen=True)
class Server:
    """A server under test: its process, and where it takes each kind of turn.

    `json`: from a model that answers at once. `stream`: from one at its pace. `brief`: the same,
    ten tokens long. `workers`: its web processes.
    """

    name: str
    pid: int
    json: Target
    stream: Target
    brief: Target
    workers: int = 1


@dataclass(frozen=True)
class Tenant:
    """A workspace with credits, a key, and a chatbot for each of the fake server's models."""

    workspace: Workspace
    key: str
    chatbots: dict[str, Chatbot]

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}


def make_tenant(api_base: str) -> Tenant:
    """A tenant whose models are the fake server's."""
    name = f"bench-{secrets.token_hex(4)}"
    owner = User.objects.create_user(f"{name}@example.com")
    workspace = create_workspace(slug=name, owner=owner)
    grant(workspace_id=workspace.id, credits=10_000_000, reason="benchmark")
    _, key = issue_key(workspace=workspace, name=name)

    def chatbot(model: str) -> Chatbot:
        entry = create_language_model(
            name=f"{name}-{model}",
            litellm_model=f"openai/{model}",
            api_base=api_base,
            credits_per_reply=1,
        )
        return create_chatbot(
            workspace=workspace,
            name=model,
            language_model=entry,
            rate_limit_requests=10_000,
            rate_limit_window_seconds=1,
        )

    models = ("at-once", "paced", "brief")
    return Tenant(workspace, key, {model: chatbot(model) for model in models})


@contextmanager
def run_fake_model(folder: Path) -> Iterator[str]:
    """The fake model server; yields its api base."""
    port, log = free_port(), folder / "upstream.log"
    command = [sys.executable, "-m", "bench.fake_model", "--port", str(port)]
    command += ["--tokens", str(TOKENS), "--pace", str(TOKENS_PER_SECOND)]
    with run_process(command, log) as started:
        wait_until_listening(started, port, log)
        yield f"http://127.0.0.1:{port}/v1"


def fake_model_target(api_base: str) -> Target:
    """The fake model server itself, as `Place.brief` reaches it."""
    return Target(f"{api_base}/chat/completions", {"model": "brief", "stream": True})


@contextmanager
def run_parley(name: str, tenant: Tenant, folder: Path, *, workers: int = 1) -> Iterator[Server]:
    """Parley as it ships."""
    with start_web(folder, workers=workers, DJANGO_SETTINGS_MODULE="config.settings.local") as web:

        def target(model: str, *, stream: bool = True) -> Target:
            url = f"{web.url}/api/v1/chatbots/{tenant.chatbots[model].id}/chat"
            return Target(url, {"message": MESSAGE, "stream": stream}, tenant.headers)

        yield Server(
            name,
            web.process.pid,
            target("at-once", stream=False),
            target("paced"),
            target("brief"),
            workers,
        )


@contextmanager
def run_floor(tenant: Tenant, api_base: str, folder: Path) -> Iterator[Server]:
    """The least that does the same: see `bench/floor`."""
    chatbot = tenant.chatbots["at-once"]
    caller = {
        "key_digest": hash_secret(tenant.key),
        "api_base": api_base,
        "chatbot_id": chatbot.id,
        "turn": {
            "workspace_id": tenant.workspace.id,
            "chatbot_id": chatbot.id,
            "model_name": chatbot.language_model.name,
            "credits_per_reply": 1,
            "credits_per_1k_input": 0,
            "credits_per_1k_output": 0,
            "credits_held": 1,
        },
    }
    port, log = free_port(), folder / "floor.log"
    command = web_command(port=port, workers=1)
    command[-1] = "bench.floor.app:application"
    environment = {
        **os.environ,
        "FLOOR_CALLER": json.dumps(caller),
        "REDIS_URL": settings.REDIS_URL,
    }
    with run_process(command, log, environment) as started:
        wait_until_listening(started, port, log)

        def target(model: str, *, stream: bool = True) -> Target:
            body = {"model": model, "message": MESSAGE, "stream": stream}
            return Target(f"http://127.0.0.1:{port}/chat", body, tenant.headers)

        yield Server(
            FLOOR, started.pid, target("at-once", stream=False), target("paced"), target("brief")
        )
