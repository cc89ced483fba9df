"""What was shown, carried by the browser to the confirmation and back: signed, for one person.

Nothing is stored until it is confirmed. The preview names the id that the adjustment will have, so
that a second click on the button finds what the first one made.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.core import signing

from apps.accounts.models import User
from apps.adjustments.queries import ConfirmedPreview, LineData
from apps.core.ids import new_id

_SALT = "adjustments.preview"
_SECONDS = 3600


class InvalidPreviewToken(Exception):
    """The preview is another person's, was changed, or is older than an hour."""


@dataclass(frozen=True, slots=True)
class ConfirmedPreview:
    """An adjustment that was shown: its future id, what it came to, and what it was made of."""

    id: str
    fingerprint: str
    content: Any

    @property
    def line(self) -> LineData:
        """The line of a preview that was made of one."""
        expires_at = self.content["expires_at"]
        moment = datetime.fromisoformat(expires_at) if expires_at else None
        return LineData(**{**self.content, "expires_at": moment})


def line_content(line: LineData) -> dict[str, Any]:
    """A line as what a preview can carry."""
    expires_at = line.expires_at
    return {**asdict(line), "expires_at": expires_at.isoformat() if expires_at else None}


def make_token(*, content: Any, preview: ConfirmedPreview, user: User, id: str = "") -> str:
    """The preview as a form's field. Shown anew, it keeps its `id`."""
    whole = {"by": user.pk, "id": id or new_id(), "mark": preview.fingerprint, "content": content}
    return signing.dumps(whole, salt=_SALT, compress=True)


def read_token(token: str, *, user: User) -> ConfirmedPreview:
    """The preview that this person was shown. Raises Stale."""
    try:
        whole = signing.loads(token, salt=_SALT, max_age=_SECONDS)
    except signing.BadSignature as error:
        raise InvalidPreviewToken from error
    if whole.pop("by") != user.pk:
        raise InvalidPreviewToken
    return ConfirmedPreview(**whole)
