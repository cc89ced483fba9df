"""Requests that upload a file: which addresses take them, and their bodies on disk.

A body is written to a temporary file as it arrives, and Django reads it from there: an upload that
takes long holds no memory of the process. Few are served at the same time, as whatever stores a
file has all of it in memory for a moment; the others wait with their file on disk, in turn by
client, and hold neither a thread nor a database connection.
"""

import re
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile

from django.conf import settings

from apps.core.errors import ApiError, PayloadTooLarge, ServiceUnavailable
from apps.infrastructure.concurrency.fair_slots import FairSlots, SlotRefused
from apps.infrastructure.limits.arriving_bodies import ArrivingBodies
from apps.infrastructure.logging import get_logger
from apps.infrastructure.web.asgi import Application, Receive, Scope, Send, send_error
from apps.infrastructure.web.client_address import scope_client
from apps.infrastructure.web.spooled_body import SpooledBody

log = get_logger(__name__)

MAX_FIELD_BYTES = 64 * 1024
"""What a form may have besides its file."""
MAX_BYTES_IN_MEMORY = 64 * 1024
"""Of one body. What is larger is on disk."""

_MULTIPART = b"multipart/form-data"


@dataclass(frozen=True, slots=True)
class UploadAddress:
    """Paths to which a file can be sent in a form."""

    paths: re.Pattern[str]
    max_file_bytes: int

    @property
    def max_body_bytes(self) -> int:
        return self.max_file_bytes + MAX_FIELD_BYTES

    def too_large(self) -> PayloadTooLarge:
        return PayloadTooLarge(f"The file is larger than {self.max_file_bytes // 2**20} MiB.")


_addresses: list[UploadAddress] = []


def register_upload_address(paths: str, *, max_file_bytes: int) -> None:
    """Let forms with a file be sent to these paths, a regular expression from its beginning on.

    Called by the app of the view when Django starts. The view must be a synchronous one.
    """
    _addresses.append(UploadAddress(re.compile(paths), max_file_bytes))


def find_upload_address(scope: Scope) -> UploadAddress | None:
    """The address to which the request uploads a file; None if it is another request."""
    if scope["method"] != "POST":
        return None
    path = scope["path"]
    for address in _addresses:
        if address.paths.match(path):
            return address if _is_multipart(scope) else None
    return None


class Uploads:
    """The uploads of this process. For one event loop."""

    def __init__(self) -> None:
        self._bodies = ArrivingBodies(
            max_bytes=settings.MAX_UPLOADED_BYTES, max_seconds=settings.UPLOAD_MAX_SECONDS
        )
        self._slots = FairSlots(
            settings.UPLOADS_AT_ONCE,
            per_client=settings.UPLOADS_AT_ONCE_PER_CLIENT,
            max_waiting=settings.MAX_WAITING_UPLOADS_PER_CLIENT,
            wait_seconds=settings.UPLOAD_WAIT_SECONDS,
        )

    async def serve(
        self,
        address: UploadAddress,
        application: Application,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        """Pass the request on once its body has arrived, or refuse it."""
        with SpooledTemporaryFile(max_size=MAX_BYTES_IN_MEMORY) as file:
            try:
                outcome = await self._bodies.write(
                    scope, receive, to=file.write, max_bytes=address.max_body_bytes
                )
            except OSError as error:  # the disk is full
                log.error("upload_not_written", reason=str(error))
                outcome = ServiceUnavailable()
            if isinstance(outcome, ApiError):
                is_too_large = isinstance(outcome, PayloadTooLarge)
                await send_error(scope, send, address.too_large() if is_too_large else outcome)
            elif outcome:
                with self._bodies.held(file.tell()):
                    await self._pass_on(application, scope, SpooledBody(file, receive), send)

    async def _pass_on(
        self, application: Application, scope: Scope, body: SpooledBody, send: Send
    ) -> None:
        client = scope_client(scope)
        try:
            await self._slots.acquire(client)
        except SlotRefused:
            await send_error(scope, send, ServiceUnavailable())
            return
        try:
            await application(scope, body, send)
        finally:
            self._slots.release(client)


def _is_multipart(scope: Scope) -> bool:
    """Whether the body is a form with files, as Django judges it."""
    for name, value in scope["headers"]:
        if name == b"content-type":
            return bool(value.split(b";")[0].strip().lower() == _MULTIPART)
    return False
