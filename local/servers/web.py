"""Command lines of Parley's own processes: web server, worker and manage.py."""

import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

from local.children.supervisor import Program, Service
from local.servers.ports import HOST

PREFERRED_PORT = 8000
CELERY = (sys.executable, "-m", "celery", "--app", "config")
CRITICAL_QUEUE, OTHER_QUEUES = "critical", "celery,emails,knowledge,webhooks"
ALL_QUEUES = f"{CRITICAL_QUEUE},{OTHER_QUEUES}"
DRAIN_SECONDS = 10
"""How long a stopping web process waits for running turns; production waits longer."""


def base_url(port: int) -> str:
    return f"http://{HOST}:{port}"


def web_command(port: int, workers: int) -> list[str]:
    """The web server, with `workers` processes behind one port."""
    return [
        *(sys.executable, "-m", "config.server"),
        *("--host", HOST, "--port", str(port), "--workers", str(workers)),
        *("--kill-timeout", str(DRAIN_SECONDS + 2)),
    ]


def worker_command(name: str = "worker", queues: str = ALL_QUEUES) -> list[str]:
    """A Celery worker of these queues, with a `name` that no other has."""
    return [
        *(*CELERY, "worker", "--loglevel", "INFO", "--pool", "threads", "--concurrency", "12"),
        *("--hostname", f"{name}@%h", "--queues", queues),
        *("--without-gossip", "--without-mingle"),
    ]


def beat_command(schedule: Path) -> list[str]:
    """The scheduler of the periodic tasks, whose state is in the file `schedule`."""
    return [*CELERY, "beat", "--loglevel", "WARNING", "--schedule", str(schedule)]


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
        restart=True,
    )


def worker_service(
    output: Callable[[], str],
    env: Mapping[str, str],
    *,
    name: str = "worker",
    queues: str = ALL_QUEUES,
) -> Service:
    """A worker as a service, ready when its `output()` says so."""
    return Service(
        Program(name=name, command=worker_command(name, queues), env=env),
        ready=lambda: " ready." in output(),
        restart=True,
    )


def beat_service(schedule: Path, env: Mapping[str, str]) -> Service:
    """The scheduler as a service."""
    return Service(
        Program(name="beat", command=beat_command(schedule), env=env),
        ready=lambda: True,
        restart=True,
    )


def answers_ok(url: str, *, timeout: float) -> bool:
    """Return True if a server answers a GET of this URL with 200 within `timeout` seconds."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as response:  # noqa: S310
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False
