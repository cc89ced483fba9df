"""The user that PostgreSQL runs as: it refuses to be run by root."""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from local.errors import LocalError

UNPRIVILEGED = "nobody"


@dataclass(frozen=True)
class SystemUser:
    """A system user that a child is started as."""

    name: str
    uid: int
    gid: int


def server_user() -> SystemUser | None:
    """None means "as we are"; for root it is the system's unprivileged user."""
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


def can_access(account: SystemUser | None, path: Path) -> bool:
    """Whether the account may run this program or enter this folder, asked of the system itself."""
    if account is None:
        return os.access(path, os.X_OK)
    probe = subprocess.run(
        ["/usr/bin/env", "test", "-x", str(path)],
        user=account.uid,
        group=account.gid,
        extra_groups=[],
        cwd="/",
    )
    return probe.returncode == 0


def change_owner(path: Path, account: SystemUser | None) -> None:
    """Make the account the owner of one file or folder."""
    if account is not None:
        os.chown(path, account.uid, account.gid)
