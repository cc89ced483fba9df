"""Run schemathesis on the OpenAPI document, with a new workspace and API key each time."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from django.db import connection
from django.utils import timezone
from pydantic.alias_generators import to_camel

from apps.api_keys.models import MAX_REQUESTS_PER_HOUR, ApiKey
from apps.api_keys.services import issue_key
from apps.api_kit.callers import Scope
from apps.conversations.exports.writer import write_pending_exports
from apps.workspaces.models import Workspace
from tests.contracts.tenant_rows import make_tenant_rows
from tests.factories import delete_webhook_endpoints, grant_credits, make_team
from tests.web_processes import SSL_CONTEXT, WebProcess

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class FuzzRound:
    """The report and the output of one run of schemathesis."""

    report: dict[str, Any]
    output: str

    @property
    def cases(self) -> int:
        """How many requests were generated; checks send more."""
        return int(self.report["test_cases"]["generated"])

    @property
    def tested(self) -> tuple[int, int]:
        """How many operations were tested, and how many there are."""
        operations = self.report["operations"]
        return operations["tested"], operations["total"]

    @property
    def scenarios(self) -> int:
        """How many sequences the stateful phase ran."""
        return self._number(r"Scenarios: +(\d+)")

    @property
    def links(self) -> int:
        """How many OpenAPI links from one operation to the next were followed."""
        return self._number(r"API Links: +(\d+) covered")

    @property
    def accepted(self) -> set[str]:
        """The operations that accepted at least one single request."""
        return {
            operation
            for operation, phases in self.report["valid_rates"].items()
            if any(rate["accepted"] for rate in phases.values())
        }

    def _number(self, pattern: str) -> int:
        found = re.search(pattern, self.output)
        return int(found[1]) if found else 0


def run_fuzz_round(
    web: WebProcess, folder: Path, *, phases: str, seconds: int, examples: int, seed: int
) -> FuzzRound:
    """Run schemathesis once. Raises AssertionError with its findings, if it has any."""
    team = make_team()
    row, key = issue_key(
        workspace=team.workspace,
        name="fuzz",
        scopes=Scope.values,
        rate_limit_per_hour=MAX_REQUESTS_PER_HOUR,
    )
    report = folder / f"{phases}-{seed}.json"
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{web.url}/api/v1/openapi.json"]
    command += ["--header", f"Authorization: Bearer {key}", "--checks", "all"]
    command += [
        "--exclude-checks",
        "ensure_resource_availability",
    ]  # created_resource_is_available calls it
    command += ["--phases", phases, "--seed", str(seed), "--continue-on-failure"]
    command += ["--max-time", str(seconds), "--max-examples", str(examples)]
    command += ["--generation-database", "none", "--no-color", "--request-timeout", "30"]
    command += ["--report", "json", "--report-json-path", str(report)]
    environment = os.environ | {
        "SCHEMATHESIS_HOOKS": "tests.schemathesis_hooks",
        "FUZZ_KEY_ID": row.id,
        "FUZZ_IDS": json.dumps(_create_rows(team.workspace)),
        "PYTHONPATH": str(ROOT),
    }
    with _write_exports():
        process = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
    delete_webhook_endpoints(team)
    print(process.stdout)
    assert process.returncode == 0, process.stdout + process.stderr
    _assert_key_is_accepted(web, row, key)
    return FuzzRound(json.loads(report.read_text()), process.stdout)


def summarize(rounds: Sequence[FuzzRound]) -> str:
    """The figures of all rounds in one line."""
    tested, total = (
        max(figures) for figures in zip(*(each.tested for each in rounds), strict=True)
    )
    seconds = sum(float(each.report["running_time"]) for each in rounds)
    return (
        f"{len(rounds)} rounds, {seconds:.0f} s: {tested} of {total} operations, "
        f"{sum(each.cases for each in rounds):,} cases, "
        f"{sum(each.scenarios for each in rounds):,} scenarios, "
        f"at most {max(each.links for each in rounds)} links in a round"
    )


def _create_rows(workspace: Workspace) -> dict[str, str]:
    """Create one row of each kind, and credits; return their ids by parameter name."""
    grant_credits(workspace, 1_000_000)
    ids = {to_camel(name): row for name, row in make_tenant_rows(workspace).ids.items()}
    return ids | {"model": ids["chatbotId"]}  # a chatbot, in the OpenAI-compatible API


@contextmanager
def _write_exports() -> Iterator[None]:
    """Write exports meanwhile. A Celery worker would also call the webhooks' invented hosts."""
    stopped = threading.Event()

    def write() -> None:
        while not stopped.wait(0.5):
            write_pending_exports(max_seconds=5)
        connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        stopped.set()
        writer.join()


def _assert_key_is_accepted(web: WebProcess, row: ApiKey, key: str) -> None:
    """The run neither ended its own key nor used up its requests of the hour."""
    row.refresh_from_db()
    assert row.is_live(timezone.now())
    headers = {"Authorization": f"Bearer {key}"}
    response = httpx.get(
        f"{web.url}/api/v1/credits", headers=headers, verify=SSL_CONTEXT, timeout=30
    )
    assert response.status_code == 200, "The key's requests per hour are used up: shorten the runs."
