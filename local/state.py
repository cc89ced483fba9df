"""A run's directory: its lock, secrets, logs and the file with the servers' addresses."""

import fcntl
import hashlib
import json
import os
import pwd
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from local.children import server_user
from local.errors import AlreadyRunning, LocalError

PROJECT_ROOT = Path(__file__).resolve().parent.parent
STATE_DIRECTORY = PROJECT_ROOT / ".local"
SYSTEM_DATA_DIRECTORY = Path("/var/lib/parley")


@dataclass(frozen=True)
class Secrets:
    """Secrets of a directory, generated once: passwords are part of the servers' data."""

    secret_key: str
    postgres_password: str
    valkey_password: str


class DirectoryLock:
    """An exclusive lock, held from `acquire` to `release` or the end of the process."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "lock"
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Acquire the lock. Raises AlreadyRunning, with the holder's note, if it is held."""
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
        """Write the text that another process gets with AlreadyRunning."""
        self.path.write_text(text + "\n")


def prepare_directory(directory: Path = STATE_DIRECTORY) -> Path:
    """Create the directory, readable by its owner only. Raises LocalError if it is not ours."""
    directory.mkdir(mode=0o700, exist_ok=True)
    owner = directory.stat().st_uid
    if owner != os.geteuid():
        raise LocalError(
            f"{directory} belongs to {_user_name(owner)}. Run the command as that user, "
            f"or remove the directory (with all of the demo's data)."
        )
    # PostgreSQL's system user must be able to enter the directory, but not to list it.
    directory.chmod(0o700 if server_user.get_server_user() is None else 0o711)
    return directory


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def fallback_data_directory() -> Path:
    """Return PostgreSQL's data directory for when its user cannot access the project's."""
    digest = hashlib.sha256(str(PROJECT_ROOT).encode()).hexdigest()[:12]
    return SYSTEM_DATA_DIRECTORY / digest


def load_or_create_secrets(directory: Path) -> Secrets:
    """Return the secrets of this directory, generating them at the first call."""
    path = directory / "secrets.json"
    if path.exists():
        return Secrets(**json.loads(path.read_text()))
    generated = generate_secrets()
    write_private(path, json.dumps(asdict(generated), indent=2) + "\n")
    return generated


def generate_secrets() -> Secrets:
    return Secrets(
        secret_key=secrets.token_urlsafe(48),
        postgres_password=secrets.token_urlsafe(24),
        valkey_password=secrets.token_urlsafe(24),
    )


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, atomically."""
    temporary = path.with_name(f"{path.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    temporary.replace(path)


def write_services_env(directory: Path, values: Mapping[str, str]) -> None:
    """Write services.env, from which `manage.py` in another terminal reads the addresses."""
    head = "# Written by the running demo; removed when it stops.\n"
    lines = (f"{name}={value}\n" for name, value in values.items())
    write_private(directory / "services.env", head + "".join(lines))


def remove_services_env(directory: Path) -> None:
    (directory / "services.env").unlink(missing_ok=True)


def rotate_logs(directory: Path) -> None:
    """Rename the previous run's logs to *.log.1."""
    for log in (directory / "logs").glob("*.log"):
        log.replace(log.with_name(f"{log.name}.1"))
