"""A few schedules of `make chaos`, always the same."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.web_processes import ROOT

SEED = 7
SCHEDULES = 4


@pytest.mark.timeout(600)  # a busy machine takes long to start everything
def test_schedules_violate_nothing() -> None:
    command = [sys.executable, "-m", "tests.chaos", "--logs"]
    run = subprocess.run(
        [*command, "--seed", str(SEED), "--schedules", str(SCHEDULES)],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if "PYTEST" not in name},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr[-5000:]
    assert f"{SCHEDULES} schedules, 0 with violations" in run.stdout
