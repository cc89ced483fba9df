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
from apps.adjustments.queries import Line, Outlook
from apps.core.ids import new_id

_SALT = "adjustments.preview"
_SECONDS = 3600


class Stale(Exception):
    """The preview is another person's, was changed, or is older than an hour."""


@dataclass(frozen=True, slots=True)
class Preview:
    """An adjustment that was shown: its future id, what it came to, and what it was made of."""

    id: str
    mark: str
    content: Any

    @property
    def line(self) -> Line:
        """The line of a preview that was made of one."""
        expires_at = self.content["expires_at"]
        moment = datetime.fromisoformat(expires_at) if expires_at else None
        return Line(**{**self.content, "expires_at": moment})


def of_line(line: Line) -> dict[str, Any]:
    """A line as what a preview can carry."""
    expires_at = line.expires_at
    return {**asdict(line), "expires_at": expires_at.isoformat() if expires_at else None}


def seal(*, content: Any, outlook: Outlook, by: User, id: str = "") -> str:
    """The preview as a form's field. Shown anew, it keeps its `id`."""
    whole = {"by": by.pk, "id": id or new_id(), "mark": outlook.mark, "content": content}
    return signing.dumps(whole, salt=_SALT, compress=True)


def unseal(token: str, *, by: User) -> Preview:
    """The preview that this person was shown. Raises Stale."""
    try:
        whole = signing.loads(token, salt=_SALT, max_age=_SECONDS)
    except signing.BadSignature as error:
        raise Stale from error
    if whole.pop("by") != by.pk:
        raise Stale
    return Preview(**whole)
