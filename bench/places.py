"""What `python -m bench floor` measures: the same paid turns at Parley and at the floor."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from django.conf import settings

from apps.accounts.models import User
from apps.api_keys.queries import digest_of
from apps.api_keys.services import issue_key
from apps.chatbots.models import Chatbot
from apps.chatbots.services import add_model, create_chatbot
from apps.credits.services import grant
from apps.workspaces.models import Workspace
from apps.workspaces.services import create_workspace
from bench.load import Target
from local.web import web_command
from tests.live import ROOT, free_port, start_web

TOKENS, PACE = 100, 36.0


@dataclass(frozen=True)
class Place:
    """A server under test: its process, and where it takes a turn of either kind."""

    name: str
    pid: int
    json: Target
    stream: Target

    def cpu_seconds(self) -> float:
        """CPU that the server and its children have used so far."""
        server = psutil.Process(self.pid)
        times = [one.cpu_times() for one in (server, *server.children(recursive=True))]
        return sum(one.user + one.system for one in times)

    def memory_kib(self) -> float:
        """Resident memory of the server and its children."""
        server = psutil.Process(self.pid)
        family = (server, *server.children(recursive=True))
        return sum(one.memory_info().rss for one in family) / 1024


@dataclass(frozen=True)
class Tenant:
    """A workspace with credits, a key and two chatbots: one model in a hurry, one at its pace."""

    workspace: Workspace
    key: str
    hurried: Chatbot
    paced: Chatbot


def make_tenant(api_base: str) -> Tenant:
    """A tenant whose models are the fake upstream's."""
    name = f"bench-{secrets.token_hex(4)}"
    owner = User.objects.create_user(f"{name}@example.com")
    workspace = create_workspace(slug=name, owner=owner)
    grant(workspace_id=workspace.id, credits=10_000_000, reason="benchmark")
    _, key = issue_key(workspace=workspace, name=name)

    def chatbot(model: str) -> Chatbot:
        entry = add_model(
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

    return Tenant(workspace, key, chatbot("at-once"), chatbot("paced"))


@contextmanager
def places(only: str) -> Iterator[list[Place]]:
    """The servers, ready, with `only` of them where it is not empty; stopped afterwards."""
    with ExitStack() as stack:
        api_base = stack.enter_context(_upstream())
        tenant = make_tenant(api_base)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        found = []
        if only in ("", "floor"):
            found.append(stack.enter_context(_floor(tenant, api_base)))
        if only in ("", "parley"):
            web = stack.enter_context(
                start_web(folder, DJANGO_SETTINGS_MODULE="config.settings.local")
            )
            found.append(_parley(web.url, web.process.pid, tenant))
        yield found


def _parley(url: str, pid: int, tenant: Tenant) -> Place:
    def target(chatbot: Chatbot, *, stream: bool) -> Target:
        address = f"{url}/api/v1/chatbots/{chatbot.id}/chat"
        return Target(address, _body(stream), _authorization(tenant))

    return Place(
        "Parley", pid, target(tenant.hurried, stream=False), target(tenant.paced, stream=True)
    )


@contextmanager
def _floor(tenant: Tenant, api_base: str) -> Iterator[Place]:
    chatbot = tenant.hurried
    caller = {
        "key_digest": digest_of(tenant.key),
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
    port = free_port()
    command = web_command(port=port, workers=1)
    command[-1] = "bench.floor.app:application"
    environment = {
        **os.environ,
        "FLOOR_CALLER": json.dumps(caller),
        "DATABASE_URL": os.environ["DATABASE_URL"],
        "REDIS_URL": settings.REDIS_URL,
    }
    with _process(command, environment) as process:
        _wait_until_it_listens(port)
        url = f"http://127.0.0.1:{port}/chat"
        targets = [Target(url, _body(stream), _authorization(tenant)) for stream in (False, True)]
        yield Place("the floor", process.pid, *targets)


@contextmanager
def _upstream() -> Iterator[str]:
    """The fake model server; yields its api base."""
    command = [sys.executable, "-m", "bench.upstream", "--tokens", str(TOKENS)]
    with _process([*command, "--pace", str(PACE)], os.environ, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield process.stdout.readline().decode().strip()


@contextmanager
def _process(
    command: list[str], environment: Mapping[str, str], **options: Any
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, cwd=ROOT, env=environment, **options)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_it_listens(port: int) -> None:
    for _ in range(200):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError("The floor does not listen.")


def _body(stream: bool) -> dict[str, Any]:
    return {"message": "Hello, how can you help me?", "stream": stream}


def _authorization(tenant: Tenant) -> dict[str, str]:
    return {"Authorization": f"Bearer {tenant.key}"}
