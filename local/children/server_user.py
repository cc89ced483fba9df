"""The system user that PostgreSQL runs as, because it refuses to run as root."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from local.errors import LocalError

UNPRIVILEGED = "nobody"


@dataclass(frozen=True)
class SystemUser:
    """A system user that a child process is started as."""

    name: str
    uid: int
    gid: int


def get_server_user() -> SystemUser | None:
    """Return the unprivileged user if we are root, else None: run as the current user."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(UNPRIVILEGED)
    except KeyError:
        raise LocalError(
            f"PostgreSQL does not run as root and this system has no user “{UNPRIVILEGED}”. "
            "Run the command as an ordinary user."
        ) from None
    return SystemUser(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)


def can_access(user: SystemUser | None, path: Path) -> bool:
    """Return True if the user may execute this program or enter this directory."""
    if user is None:
        return os.access(path, os.X_OK)
    probe = subprocess.run(
        ["/usr/bin/env", "test", "-x", str(path)],
        user=user.uid,
        group=user.gid,
        extra_groups=[],
        cwd="/",
    )
    return probe.returncode == 0


def change_owner(path: Path, user: SystemUser | None) -> None:
    """Make the user the owner of one file or directory. None changes nothing."""
    if user is not None:
        os.chown(path, user.uid, user.gid)
