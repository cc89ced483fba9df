"""Errors of adjustments. They are shown to staff on admin pages and never reach the API.

AdjustmentError
├── AdjustmentRefused      a rule forbids it; `preview` names the rule for each line
├── PreviewOutdated        allowed, but not what was shown; `preview` is the new one
├── FileAlreadyPosted      the same file was posted before or awaits approval
├── RepeatsNotConfirmed    other adjustments have the same references and amounts
└── DecisionNotAllowed     the request is closed, or this user may not decide it
"""

from collections.abc import Sequence

from apps.adjustments.models import Adjustment
from apps.adjustments.previews import Preview
from apps.adjustments.repeats import Repeat


class AdjustmentError(Exception):
    """An adjustment was not posted or decided. The message is for the user who tried."""


class AdjustmentRefused(AdjustmentError):
    """At least one line is not allowed, so none was posted."""

    def __init__(self, preview: Preview) -> None:
        super().__init__(" ".join(error for line in preview.lines for error in line.errors))
        self.preview = preview


class PreviewOutdated(AdjustmentError):
    """Posting now would differ from the preview that the user confirmed."""

    def __init__(self, preview: Preview) -> None:
        super().__init__("The balance changed since this preview. Review it again.")
        self.preview = preview


class FileAlreadyPosted(AdjustmentError):
    """A file with the same content was uploaded before."""

    def __init__(self, adjustment: Adjustment) -> None:
        who, when = adjustment.requested_by.email, f"{adjustment.requested_at:%d %B %Y, %H:%M} UTC"
        status = "has been awaiting approval since" if adjustment.is_pending else "was posted on"
        super().__init__(f"This file {status} {when}, uploaded by {who}. Nothing was posted again.")
        self.adjustment = adjustment


class RepeatsNotConfirmed(AdjustmentError):
    """Some lines were posted before, and the user did not confirm that they are meant again."""

    def __init__(self, repeats: Sequence[Repeat]) -> None:
        super().__init__(" ".join(map(str, repeats)))


class DecisionNotAllowed(AdjustmentError):
    """The user may not approve or decline this request."""
