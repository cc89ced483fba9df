"""Command lines of Parley's own processes: web server, worker and manage.py."""

import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

from local.ports import HOST
from local.supervisor import Program, Service

PREFERRED_PORT = 8000
CRITICAL_QUEUE, OTHER_QUEUES = "critical", "celery,emails,webhooks"
ALL_QUEUES = f"{CRITICAL_QUEUE},{OTHER_QUEUES}"
DRAIN_SECONDS = 10
"""How long a stopping web process waits for running turns; production waits longer."""


def base_url(port: int) -> str:
    return f"http://{HOST}:{port}"


def web_command(port: int, workers: int) -> list[str]:
    """The web server, with `workers` processes behind one port."""
    return [
        *(sys.executable, "-m", "granian", "--interface", "asgi", "--http", "1"),
        *("--runtime-mode", "mt", "--loop", "uvloop", "--no-access-log"),
        *("--host", HOST, "--port", str(port), "--workers", str(workers)),
        *("--backlog", "2048", "--backpressure", "1024"),
        *("--respawn-failed-workers", "--workers-kill-timeout", str(DRAIN_SECONDS + 2)),
        "config.asgi:application",
    ]


def worker_command(schedule: Path) -> list[str]:
    """The Celery worker with the beat scheduler, whose state is in the file `schedule`."""
    return [
        *(sys.executable, "-m", "celery", "--app", "config", "worker", "--loglevel", "INFO"),
        *("--beat", "--schedule", str(schedule), "--pool", "threads", "--concurrency", "8"),
        *("--queues", ALL_QUEUES, "--without-gossip", "--without-mingle"),
    ]


def manage_command(*arguments: str) -> list[str]:
    return [sys.executable, "manage.py", *arguments]


def web_service(port: int, workers: int, env: Mapping[str, str]) -> Service:
    """The web server as a service, ready when /readyz answers 200."""
    return Service(
        Program(
            name="web",
            command=web_command(port, workers),
            env={"TURN_DRAIN_SECONDS": str(DRAIN_SECONDS), **env},
            stop_seconds=DRAIN_SECONDS + 5.0,
        ),
        ready=lambda: answers_ok(f"{base_url(port)}/readyz", timeout=5),
        restarts=3,
    )


def worker_service(schedule: Path, output: Callable[[], str], env: Mapping[str, str]) -> Service:
    """The worker as a service, ready when its `output()` says so."""
    return Service(
        Program(name="worker", command=worker_command(schedule), env=env),
        ready=lambda: " ready." in output(),
        restarts=3,
    )


def answers_ok(url: str, *, timeout: float) -> bool:
    """Return True if a server answers a GET of this URL with 200 within `timeout` seconds."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as response:  # noqa: S310
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False
