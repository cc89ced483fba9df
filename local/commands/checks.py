"""`make check`: lint, formatting, import contracts, types, migrations and deployment settings."""

import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from local.children.interrupts import Interrupts
from local.children.supervisor import Program
from local.commands import throwaway
from local.console import Console
from local.errors import ChildFailed
from local.servers import web

LINT_IMPORTS = "from importlinter.cli import lint_imports_command; lint_imports_command()"


@dataclass(frozen=True)
class Check:
    """A program that must succeed; `env` is added to the environment."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)


def _module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", name, *arguments]


def build_checks() -> list[Check]:
    production = {
        "DJANGO_SETTINGS_MODULE": "config.settings.production",
        "SECRET_KEY": secrets.token_urlsafe(64),
        "ALLOWED_HOSTS": "parley.example",
    }
    deploy = ("check", "--deploy", "--fail-level", "WARNING")
    return [
        Check("lint", _module("ruff", "check", ".")),
        Check("format", _module("ruff", "format", "--check", ".")),
        Check("imports", [sys.executable, "-c", LINT_IMPORTS]),
        Check("types", _module("mypy")),
        Check("migrations", web.manage_command("makemigrations", "--check", "--dry-run")),
        Check("deployment", web.manage_command(*deploy), production),
    ]


def run(console: Console, interrupts: Interrupts) -> int:
    """Run every check and print the output of those that fail; return 1 if any failed."""
    failed: list[str] = []
    with throwaway.throwaway_servers(console, interrupts) as (supervisor, environment):
        for check in build_checks():
            program = Program(check.name, check.command, env={**environment, **check.env})
            try:
                with console.step(check.name):
                    supervisor.run(program)
            except ChildFailed:
                failed.append(check.name)
                console.print_line(supervisor.output(check.name).rstrip())
    console.print_line(f"Failed: {', '.join(failed)}" if failed else "Every check passed.")
    return 1 if failed else 0
