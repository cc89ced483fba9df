"""Why credits stay as they are. Staff meet these on pages, never on the wire.

NotAdjusted
├── Refused            a rule is against it; `preview` says which, line by line
├── Differs            it is allowed, and does not come to what was shown; `preview` is new
├── PostedBefore       the same file has been posted, or waits, already
└── Undecidable        a request that is decided, has lapsed or is not this person's to decide
"""

from __future__ import annotations

from apps.adjustments.models import Adjustment
from apps.adjustments.queries import ConfirmedPreview


class AdjustmentError(Exception):
    """Something that was asked for and not done. Its text is for the person who asked."""


class AdjustmentRefused(AdjustmentError):
    """At least one line may not be posted, so none was."""

    def __init__(self, outlook: ConfirmedPreview) -> None:
        super().__init__(" ".join(sentence for line in outlook.lines for sentence in line.errors))
        self.preview = outlook


class PreviewOutdated(AdjustmentError):
    """What posting would do now is not what the person was shown."""

    def __init__(self, outlook: ConfirmedPreview) -> None:
        super().__init__("The balance has changed since this was shown. Look at it once more.")
        self.preview = outlook


class FileAlreadyPosted(AdjustmentError):
    """This very file is there already."""

    def __init__(self, adjustment: Adjustment) -> None:
        who, when = adjustment.requested_by.email, f"{adjustment.requested_at:%d %B %Y, %H:%M} UTC"
        done = "waits for approval since" if adjustment.is_pending else "was posted on"
        super().__init__(f"This file {done} {when}, uploaded by {who}. Nothing was posted again.")
        self.adjustment = adjustment


class DecisionNotAllowed(AdjustmentError):
    """The request stays as it is."""
