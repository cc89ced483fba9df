"""Run the scripts in `tests/node`, which use JavaScript client libraries."""

from __future__ import annotations

import fcntl
import functools
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parent / "node"

node_is_missing = shutil.which("node") is None or shutil.which("npm") is None
requires_node = pytest.mark.skipif(node_is_missing, reason="Node and npm are not installed")


def run_node(script: str, **arguments: Any) -> Any:
    """Run a script with these arguments as JSON on stdin; return the JSON that it prints."""
    install_packages()
    completed = subprocess.run(
        ["node", script],
        cwd=FOLDER,
        input=json.dumps(arguments),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    return json.loads(completed.stdout)


@functools.cache
def install_packages() -> None:
    """Install the locked npm packages unless they are; only one test process does it."""
    with (FOLDER / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _versions(FOLDER / "package-lock.json") == _versions(_INSTALLED):
            return
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        completed = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
        assert completed.returncode == 0, completed.stderr


_INSTALLED = FOLDER / "node_modules" / ".package-lock.json"


def _versions(lock: Path) -> dict[str, str]:
    if not lock.exists():
        return {}
    packages = json.loads(lock.read_text())["packages"]
    return {name: package["version"] for name, package in packages.items() if name}
