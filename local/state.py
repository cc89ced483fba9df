"""Folders that a run owns: their lock, their secrets, and what other programs read from them."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import pwd
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from local import server_user as accounts
from local.errors import AlreadyRunning, LocalError

PROJECT_ROOT = Path(__file__).resolve().parent.parent
STATE_DIRECTORY = PROJECT_ROOT / ".local"
SYSTEM_DATA_DIRECTORY = Path("/var/lib/parley")


@dataclass(frozen=True)
class Secrets:
    """Made at the first start and kept, because the data knows them."""

    secret_key: str
    postgres_password: str
    valkey_password: str


class DirectoryLock:
    """Held from `acquire` to `release` or the end of the process, however it ends."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "lock"
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Raises AlreadyRunning, with the holder's note, when another process has it."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise AlreadyRunning(self.path.read_text().strip()) from None
        self._descriptor = descriptor
        self.write_note(f"process {os.getpid()}")

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def write_note(self, text: str) -> None:
        """What a process that comes second is told."""
        self.path.write_text(text + "\n")


def prepare_directory(folder: Path = STATE_DIRECTORY) -> Path:
    """Make the state folder, or check that it is ours. Only its owner may look into it."""
    folder.mkdir(mode=0o700, exist_ok=True)
    owner = folder.stat().st_uid
    if owner != os.geteuid():
        raise LocalError(
            f"{folder} belongs to {_user_name(owner)}. Run the command as that user, "
            f"or remove the folder (with all of the demo's data)."
        )
    # The user that PostgreSQL is dropped to must pass through, but not look around.
    folder.chmod(0o700 if accounts.server_user() is None else 0o711)
    return folder


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def fallback_data_directory() -> Path:
    """Where PostgreSQL's data goes when its user cannot enter the project's folder."""
    digest = hashlib.sha256(str(PROJECT_ROOT).encode()).hexdigest()[:12]
    return SYSTEM_DATA_DIRECTORY / digest


def load_or_create_secrets(folder: Path) -> Secrets:
    """The secrets of this folder, made when there are none."""
    path = folder / "secrets.json"
    if path.exists():
        return Secrets(**json.loads(path.read_text()))
    made = generate_secrets()
    write_private(path, json.dumps(asdict(made), indent=2) + "\n")
    return made


def generate_secrets() -> Secrets:
    return Secrets(
        secret_key=secrets.token_urlsafe(48),
        postgres_password=secrets.token_urlsafe(24),
        valkey_password=secrets.token_urlsafe(24),
    )


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, in one step."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    draft.replace(path)


def write_services_env(folder: Path, values: Mapping[str, str]) -> None:
    """Tell `manage.py` in another terminal where this run's services are."""
    head = "# Written by the running demo; removed when it stops.\n"
    lines = (f"{name}={value}\n" for name, value in values.items())
    write_private(folder / "services.env", head + "".join(lines))


def remove_services_env(folder: Path) -> None:
    (folder / "services.env").unlink(missing_ok=True)


def rotate_logs(folder: Path) -> None:
    """Start new log files; those of the run before stay beside them as *.log.1."""
    for log in (folder / "logs").glob("*.log"):
        log.replace(log.with_name(f"{log.name}.1"))
