"""Client libraries of Node's world: the scripts in `tests/node`, run as their users run them."""

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

absent = shutil.which("node") is None or shutil.which("npm") is None
requires_node = pytest.mark.skipif(absent, reason="Node and npm are not on this machine")


def run_node(script: str, **given: Any) -> Any:
    """What a script tells when it is given these values."""
    install_packages()
    done = subprocess.run(
        ["node", script],
        cwd=FOLDER,
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@functools.cache
def install_packages() -> None:
    """Install the locked packages unless they are there; test processes wait for one another."""
    with (FOLDER / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _versions(FOLDER / "package-lock.json") == _versions(_INSTALLED):
            return
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


_INSTALLED = FOLDER / "node_modules" / ".package-lock.json"


def _versions(lock: Path) -> dict[str, str]:
    if not lock.exists():
        return {}
    packages = json.loads(lock.read_text())["packages"]
    return {name: package["version"] for name, package in packages.items() if name}
