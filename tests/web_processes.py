"""Real web and worker processes for tests, and an HTTP client for the chat endpoint."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
from django.conf import settings
from django.db import connection

from apps.chatbots.models import Chatbot, LanguageModel
from apps.workspaces.models import Workspace
from local.servers.web import web_command, worker_command
from tests.factories import grant_credits, make_api_key, make_chatbot

ROOT = Path(__file__).resolve().parent.parent
SSL_CONTEXT = ssl.create_default_context()
"""Shared: otherwise httpx creates one per request, which takes longer than the request."""


@dataclass
class WebProcess:
    """A running web process, its port and its log file."""

    port: int
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def kill(self) -> None:
        """Kill the process and its children, as a crash would: no clean-up runs."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def terminate(self) -> None:
        """Send SIGTERM, as a deploy does, without waiting."""
        self.process.send_signal(signal.SIGTERM)


@contextmanager
def start_web(
    folder: Path, *, ready_path: str = "readyz", workers: int = 1, **environment: Any
) -> Iterator[WebProcess]:
    """Start a web server on the test database, wait until it is ready, and stop it afterwards.

    `workers`: how many processes share its port. `ready_path`: the path that must respond with 200
    first; `readyz` never does in a process without Redis.
    """
    port = free_port()
    log = folder / f"web-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            web_command(port=port, workers=workers),
            cwd=ROOT,
            env=process_environment(**environment),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    web = WebProcess(port, log, process)
    try:
        _wait_until_ready(web, ready_path)
        yield web
    finally:
        if process.poll() is None:
            web.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                web.kill()


@contextmanager
def start_worker(folder: Path, **environment: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Start a Celery worker with beat on the test database, and stop it afterwards."""
    with (folder / "worker.log").open("ab") as output:
        process = subprocess.Popen(
            [*worker_command(), "--beat", "--schedule", str(folder / "schedule")],
            cwd=ROOT,
            env=process_environment(**environment),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def process_environment(**extra: Any) -> dict[str, str]:
    """The environment of a process on the test database, with these variables."""
    database = urlsplit(os.environ["DATABASE_URL"])
    name = connection.settings_dict["NAME"]
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
        "DATABASE_URL": database._replace(path=f"/{name}").geturl(),
        "REDIS_URL": settings.REDIS_URL,
        **{name: str(value) for name, value in extra.items()},
    }


def _wait_until_ready(web: WebProcess, until: str) -> None:
    reason = "no response"
    for _ in range(200):
        if web.process.poll() is not None:
            raise RuntimeError(f"The web process ended:\n{web.log.read_text()[-3000:]}")
        try:
            response = httpx.get(f"{web.url}/{until}", timeout=5, verify=SSL_CONTEXT)
            if response.status_code == 200:
                return
            reason = response.text
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"The web process is not ready: {reason}\n{web.log.read_text()[-3000:]}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Frame:
    """One server-sent event."""

    id: int | None
    event: str
    data: Any


@dataclass
class Caller:
    """A client of the chat endpoint: a web process, a chatbot and an API key."""

    web: WebProcess
    chatbot: Chatbot | str
    key: str
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        chatbot_id = self.chatbot if isinstance(self.chatbot, str) else self.chatbot.id
        return f"{self.web.url}/api/v1/chatbots/{chatbot_id}/chat"

    @property
    def all_headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}", **self.headers}

    def at(self, web: WebProcess) -> Self:
        """The same caller, using another web process."""
        return type(self)(web, self.chatbot, self.key, self.headers)

    def post(self, message: Any = "Hello there", **fields: Any) -> httpx.Response:
        """Send a request and read the response. Keyword arguments are fields of the body."""
        body = {"message": message, **fields}
        return httpx.post(
            self.url, json=body, headers=self.all_headers, timeout=30, verify=SSL_CONTEXT
        )

    @contextmanager
    def stream(self, message: str = "Hello there", **fields: Any) -> Iterator[httpx.Response]:
        """Send a streamed request and yield its unread response."""
        body = {"message": message, "stream": True, **fields}
        with httpx.stream(
            "POST", self.url, json=body, headers=self.all_headers, timeout=30, verify=SSL_CONTEXT
        ) as response:
            yield response

    def frames(self, message: str = "Hello there", **fields: Any) -> list[Frame | str]:
        """Read a complete stream: its events, and the closing `[DONE]` as a string."""
        with self.stream(message, **fields) as response:
            response.read()
            return parse_frames(response.text)


def make_caller(
    web: WebProcess,
    workspace: Workspace,
    model: LanguageModel | str = "sandbox/echo",
    *,
    credits: int = 0,
    **fields: Any,
) -> Caller:
    """A caller with a new API key and a new chatbot that has these `fields`."""
    if credits:
        grant_credits(workspace, credits)
    return Caller(web, make_chatbot(workspace, model, **fields), make_api_key(workspace))


def parse_frames(text: str) -> list[Frame | str]:
    """Parse server-sent events, leaving out heartbeats."""
    frames: list[Frame | str] = []
    for block in text.split("\n\n"):
        lines = [line for line in block.split("\n") if line and not line.startswith(":")]
        if not lines:
            continue
        fields = dict(line.split(": ", 1) for line in lines)
        if fields["data"] == "[DONE]":
            frames.append("[DONE]")
        else:
            number = int(fields["id"]) if "id" in fields else None
            frames.append(Frame(number, fields.get("event", ""), json.loads(fields["data"])))
    return frames
