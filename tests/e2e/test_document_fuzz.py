"""schemathesis over the whole document, all checks, stateful links included, finds nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from django.utils import timezone

from apps.api_keys.models import MOST_REQUESTS, ApiKey, Scope
from tests.conftest import StartWeb
from tests.factories import Team, give, make_chatbot, make_key

ROOT = Path(__file__).resolve().parents[2]
SECONDS = os.environ.get("FUZZ_SECONDS", "40")
EXAMPLES = os.environ.get("FUZZ_EXAMPLES", "5")


def test_schemathesis_finds_nothing(own_web: StartWeb, live_team: Team, tmp_path: Path) -> None:
    web = own_web(WEBHOOK_ALLOW_PRIVATE="true")
    give(live_team.workspace, 1_000_000)
    make_chatbot(live_team.workspace, rate_limit_requests=10_000)
    key = make_key(live_team.workspace, Scope.values)
    row = ApiKey.objects.get(workspace=live_team.workspace)
    row.rate_limit_per_hour = MOST_REQUESTS
    row.save()
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{web.url}/api/v1/openapi.json"]
    command += ["--header", f"Authorization: Bearer {key}", "--checks", "all", "--seed", "1"]
    command += ["--max-time", SECONDS, "--max-examples", EXAMPLES, "--continue-on-failure"]
    command += ["--generation-database", "none", "--no-color", "--request-timeout", "30"]
    environment = os.environ | {
        "SCHEMATHESIS_HOOKS": "tests.document_formats",
        "FUZZ_KEY_ID": row.id,
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    print(done.stdout)
    row.refresh_from_db()
    assert row.is_live(timezone.now()), "The run ended its own key: it has seen nothing since."
    assert done.returncode == 0, done.stdout + done.stderr
