from __future__ import annotations

import os
from pathlib import Path

from django.core import mail

from apps.infrastructure.mail_files import PrivateFileBackend


def test_emails_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    directory = tmp_path / "mail"
    directory.mkdir(mode=0o755)
    before = os.umask(0)
    try:
        for number in range(2):
            backend = PrivateFileBackend(file_path=str(directory))
            message = mail.EmailMessage(
                "Reset", f"link {number}", "a@example.com", ["b@example.com"]
            )
            assert backend.send_messages([message]) == 1
    finally:
        os.umask(before)
    files = list(directory.iterdir())
    modes = {file.stat().st_mode & 0o777 for file in files}
    assert (directory.stat().st_mode & 0o777, modes) == (0o700, {0o600})
    assert all("link" in file.read_text() for file in files)
