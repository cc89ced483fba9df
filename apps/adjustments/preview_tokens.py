"""Signed tokens that carry a preview from the page to its confirmation.

Nothing is stored until the user confirms. The token holds the id of the future adjustment, so a
double click on the button finds the adjustment that the first click created.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.core import signing

from apps.accounts.models import User
from apps.adjustments.lines import LineData
from apps.adjustments.previews import Preview
from apps.core.ids import new_id

_SALT = "adjustments.preview"
_MAX_AGE_SECONDS = 3600


class InvalidPreviewToken(Exception):
    """The token was changed, is older than an hour, or was made for another user."""


@dataclass(frozen=True, slots=True)
class ConfirmedPreview:
    """A preview that the user confirmed: the adjustment's id, the fingerprint and the content."""

    id: str
    fingerprint: str
    content: Any

    @property
    def line(self) -> LineData:
        """The line of a preview whose content is one line."""
        expires_at = self.content["expires_at"]
        expires_at = datetime.fromisoformat(expires_at) if expires_at else None
        return LineData(**{**self.content, "expires_at": expires_at})


def line_content(line: LineData) -> dict[str, Any]:
    """Return a line as JSON values, to be the content of a token."""
    expires_at = line.expires_at
    return {**asdict(line), "expires_at": expires_at.isoformat() if expires_at else None}


def make_token(*, content: Any, preview: Preview, user: User, id: str = "") -> str:
    """Return a signed token for a hidden form field. Pass `id` to keep that of an earlier token."""
    payload = {
        "user": user.pk,
        "id": id or new_id(),
        "fingerprint": preview.fingerprint,
        "content": content,
    }
    return signing.dumps(payload, salt=_SALT, compress=True)


def read_token(token: str, *, user: User) -> ConfirmedPreview:
    """Return the preview of a token made for this user. Raises InvalidPreviewToken."""
    try:
        payload = signing.loads(token, salt=_SALT, max_age=_MAX_AGE_SECONDS)
    except signing.BadSignature as error:
        raise InvalidPreviewToken from error
    if payload.pop("user", None) != user.pk:
        raise InvalidPreviewToken
    return ConfirmedPreview(**payload)
