"""Email as files, for development machines without a mail server."""

import os
from pathlib import Path
from typing import Any

from django.core.mail.backends.filebased import EmailBackend


class PrivateFileBackend(EmailBackend):
    """Django's backend, with files that only their owner reads: emails have links that log in."""

    file_path: str
    _get_filename: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        Path(self.file_path).chmod(0o700)

    def open(self) -> bool:
        """Create the file before anything is written to it."""
        os.close(os.open(self._get_filename(), os.O_CREAT | os.O_WRONLY, 0o600))
        return bool(super().open())
