"""Tests of the virtual environment, in a path with a space."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from local import state


def bootstrap(project: Path, *, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(project / "local" / "bootstrap.py"), "no-such-command"],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=100,
    )


def test_bootstrap_creates_the_venv_once_and_repairs_it(tmp_path: Path) -> None:
    project = tmp_path / "a project"
    shutil.copytree(state.PROJECT_ROOT / "local", project / "local")
    (project / "requirements").mkdir()
    lock = project / "requirements" / "dev.txt"
    lock.write_text("")

    first = bootstrap(project, cwd=tmp_path)
    assert "python -m local COMMAND" in first.stdout, first.stderr
    assert "Virtual environment" in first.stdout
    assert "Python packages" in first.stdout

    second = bootstrap(project, cwd=tmp_path)
    assert second.returncode == 2
    assert second.stdout.startswith("`python -m local COMMAND`")

    lock.write_text("# changed\n")
    (project / ".venv" / "parley" / "unfinished").touch()
    changed = bootstrap(project, cwd=tmp_path)
    assert "Python packages" in changed.stdout
    assert "Virtual environment" not in changed.stdout
    assert not (project / ".venv" / "parley" / "unfinished").exists()
