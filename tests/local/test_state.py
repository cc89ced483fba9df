"""Tests of the state directory: lock, secrets, services.env and logs."""

from __future__ import annotations

from pathlib import Path

import pytest

from local import state
from local.errors import AlreadyRunning


def test_second_lock_raises_with_the_note_of_the_first(tmp_path: Path) -> None:
    first, second = state.DirectoryLock(tmp_path), state.DirectoryLock(tmp_path)
    first.acquire()
    first.write_note("http://127.0.0.1:8000")
    with pytest.raises(AlreadyRunning, match=r"http://127\.0\.0\.1:8000"):
        second.acquire()
    first.release()
    second.acquire()
    second.release()


def test_secrets_are_generated_once(tmp_path: Path) -> None:
    secrets = state.load_or_create_secrets(tmp_path)
    assert state.load_or_create_secrets(tmp_path) == secrets
    assert len(secrets.secret_key) >= 50


def test_services_env_is_private_and_has_the_addresses(tmp_path: Path) -> None:
    state.write_services_env(tmp_path, {"REDIS_URL": "redis://:secret@127.0.0.1:6479/0"})
    path = tmp_path / "services.env"
    assert path.stat().st_mode & 0o777 == 0o600
    assert "REDIS_URL=redis://:secret@127.0.0.1:6479/0" in path.read_text().splitlines()
    state.remove_services_env(tmp_path)
    assert not path.exists()


def test_rotate_logs_renames_the_previous_logs(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "web.log").write_text("before")
    state.rotate_logs(tmp_path)
    assert [path.name for path in (tmp_path / "logs").iterdir()] == ["web.log.1"]
