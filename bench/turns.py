"""What `make bench` measures, and the load it sends."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from apps.accounts.models import User
from apps.api_keys.services import issue_key
from apps.chatbots.services import add_model, create_chatbot
from apps.credits.services import grant
from apps.workspaces.services import create_workspace
from tests.live import WebProcess, start_web


@dataclass(frozen=True)
class Subject:
    """One kind of request to one web process."""

    name: str
    web: WebProcess
    method: str
    path: str
    body: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def cpu_seconds(self) -> float:
        """CPU that the server and its children have used so far."""
        server = psutil.Process(self.web.process.pid)
        times = [one.cpu_times() for one in (server, *server.children(recursive=True))]
        return sum(one.user + one.system for one in times)


def new_tenant(stack: ExitStack, litellm_model: str, **model_fields: Any) -> tuple[str, str, Path]:
    """A workspace with credits: its chatbot's id, an API key, and a folder for logs."""
    name = f"bench-{secrets.token_hex(4)}"
    owner = User.objects.create_user(f"{name}@example.com")
    workspace = create_workspace(slug=name, owner=owner)
    grant(workspace_id=workspace.id, credits=1_000_000, reason="benchmark")
    model = add_model(name=name, litellm_model=litellm_model, credits_per_reply=1, **model_fields)
    chatbot = create_chatbot(
        workspace=workspace,
        name=name,
        language_model=model,
        rate_limit_requests=10_000,
        rate_limit_window_seconds=1,
        max_reply_tokens=4096,
    )
    _, key = issue_key(workspace=workspace, name=name)
    return chatbot.id, key, Path(stack.enter_context(tempfile.TemporaryDirectory()))


def subjects(stack: ExitStack) -> list[Subject]:
    """The bare request first, to which the others are compared."""
    chatbot_id, key, folder = new_tenant(stack, "sandbox/echo")
    web = stack.enter_context(start_web(folder))
    path = f"/api/v1/chatbots/{chatbot_id}/chat"
    headers = {"Authorization": f"Bearer {key}"}
    words = " ".join(["word"] * 100)
    return [
        Subject("GET /healthz", web, "GET", "/healthz"),
        Subject("a turn as JSON", web, "POST", path, {"message": "Hello"}, headers),
        Subject(
            "a turn of 101 tokens, SSE",
            web,
            "POST",
            path,
            {"message": words, "stream": True},
            headers,
        ),
    ]


async def send(subject: Subject, *, requests: int, clients: int) -> None:
    """The load: `requests` in all by `clients` at once. Raises if one is not answered with 200."""
    left = iter(range(requests))
    async with aiohttp.ClientSession(
        subject.web.url, headers=subject.headers, timeout=aiohttp.ClientTimeout(total=60)
    ) as session:

        async def client() -> None:
            for _ in left:
                async with session.request(
                    subject.method, subject.path, json=subject.body
                ) as response:
                    await response.read()
                    if response.status != 200:
                        raise RuntimeError(f"{subject.name} answered {response.status}")

        await asyncio.gather(*(client() for _ in range(clients)))
