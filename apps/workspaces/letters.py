"""Send letters: each has its own attempts and its own outcome, and workspaces take turns.

    sent        the mail server took it
    refused     it will never take it: noted in the audit log, where the owners can see it
    not sent    tried again after the next wait of RETRY_SECONDS; after the last one it has failed,
                which is noted, too

A letter is claimed before it is sent, so that two workers never both send it. It is sent again only
if its worker dies between the server's answer and the record of it.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from django.template.loader import render_to_string

from apps.audit.services import SYSTEM, record
from apps.infrastructure.logging import get_logger
from apps.infrastructure.mail import EmailNotSent, EmailRefused, send_email
from apps.infrastructure.postgres.claims import ClaimStatement, claim_next
from apps.infrastructure.postgres.errors import DATABASE_UNAVAILABLE
from apps.workspaces.models import Letter, LetterKind, LetterStatus

log = get_logger(__name__)

MAX_CONCURRENT = 2
"""Letters of one workspace that are sent at the same time."""
RETRY_SECONDS = (10, 60, 300, 1800, 7200, 21_600)
KEPT_DAYS = 30

# Next is the workspace with the fewest running, of those the one served longest ago. One letter of
# each workspace is looked at, whatever number waits, by skipping through an index.
_CLAIM = ClaimStatement(
    "workspaces_letter",
    """
WITH RECURSIVE running AS MATERIALIZED (
  SELECT workspace_id, count(*) AS letters FROM workspaces_letter
  WHERE status = 'pending' AND claimed_until > statement_timestamp() GROUP BY workspace_id
), waiting (workspace_id, next_attempt_at) AS (
  (SELECT workspace_id, next_attempt_at FROM workspaces_letter
   WHERE status = 'pending' ORDER BY workspace_id, next_attempt_at LIMIT 1)
  UNION ALL
  SELECT following.* FROM waiting CROSS JOIN LATERAL (
    SELECT letter.workspace_id, letter.next_attempt_at FROM workspaces_letter AS letter
    WHERE letter.status = 'pending' AND letter.workspace_id > waiting.workspace_id
    ORDER BY letter.workspace_id, letter.next_attempt_at LIMIT 1
  ) AS following
), next_workspace AS MATERIALIZED (
  SELECT waiting.workspace_id
  FROM waiting LEFT JOIN running ON running.workspace_id = waiting.workspace_id
  WHERE next_attempt_at <= statement_timestamp()
    AND coalesce(letters, 0) < %(max_per_workspace)s
  ORDER BY coalesce(letters, 0),
    (SELECT max(last_attempt_at) FROM workspaces_letter AS any_letter
     WHERE any_letter.workspace_id = waiting.workspace_id) NULLS FIRST,
    next_attempt_at
  LIMIT 1
), due AS MATERIALIZED (
  SELECT first.id FROM next_workspace CROSS JOIN LATERAL (
    SELECT letter.id FROM workspaces_letter AS letter
    WHERE letter.status = 'pending' AND letter.next_attempt_at <= statement_timestamp()
      AND letter.workspace_id = next_workspace.workspace_id
    ORDER BY letter.next_attempt_at LIMIT 1
    FOR UPDATE SKIP LOCKED
  ) AS first
)
UPDATE workspaces_letter SET
  attempts = attempts + 1,
  last_attempt_at = statement_timestamp(),
  next_attempt_at = statement_timestamp() + make_interval(secs => %(seconds)s),
  claimed_until = statement_timestamp() + make_interval(secs => %(seconds)s)
FROM due WHERE workspaces_letter.id = due.id
RETURNING workspaces_letter.id
""",
)


@dataclass(frozen=True, slots=True)
class LetterText:
    """The templates `<name>_subject.txt`, `<name>.txt` and `<name>.html`, and their context."""

    template: str
    context: Mapping[str, Any]


Writer = Callable[[Letter], LetterText | None]
"""Returns the text of a letter, None if there is nothing to say any more."""

_WRITERS: dict[LetterKind, Writer] = {}


def register_letter(kind: LetterKind, writer: Writer) -> None:
    """Have `writer` write the letters of a kind. Called by the app of their subject at start."""
    _WRITERS[kind] = writer


def send_letters(*, seconds: float) -> int:
    """Send due letters one by one until none is due or the time is up. Return how many."""
    deadline = time.monotonic() + seconds
    tried = 0
    while (letter := claim_letter()) is not None:
        _send(letter)
        tried += 1
        if time.monotonic() >= deadline:
            break
    return tried


def claim_letter() -> Letter | None:
    """Claim the next letter for longer than sending it may take."""
    letter_id = claim_next(
        _CLAIM, max_per_workspace=MAX_CONCURRENT, seconds=4 * settings.EMAIL_TIMEOUT
    )
    if letter_id is None:
        return None
    return Letter.objects.select_related("workspace").filter(id=letter_id).first()


def delete_old_letters() -> int:
    """Delete letters, which contain addresses, after KEPT_DAYS. Return how many."""
    old = Letter.objects.filter(created_at__lt=Now() - timedelta(days=KEPT_DAYS))
    return old.delete()[0]


def _send(letter: Letter) -> None:
    try:
        text = None if letter.workspace.closed_at else _WRITERS[LetterKind(letter.kind)](letter)
        if text is None:
            _finish(letter, LetterStatus.VOID)
            return
        subject, body, html = (
            render_to_string(f"{text.template}{part}", dict(text.context))
            for part in ("_subject.txt", ".txt", ".html")
        )
        send_email(letter.recipient, subject=subject, text=body, html=html)
    except EmailRefused as error:
        _finish(letter, LetterStatus.REFUSED, str(error))
    except DATABASE_UNAVAILABLE:
        raise
    except Exception as error:  # the next letter is another matter
        if not isinstance(error, EmailNotSent):
            log.exception("letter_not_written", letter_id=letter.id)
        _retry(letter, str(error))
    else:
        _finish(letter, LetterStatus.SENT)


def _retry(letter: Letter, reason: str) -> None:
    if letter.attempts > len(RETRY_SECONDS):
        _finish(letter, LetterStatus.FAILED, reason)
        return
    log.warning("letter_delayed", letter_id=letter.id, attempts=letter.attempts)
    wait = timedelta(seconds=RETRY_SECONDS[letter.attempts - 1])
    _update(letter, next_attempt_at=Now() + wait, error=_storable(reason))


@transaction.atomic
def _finish(letter: Letter, status: LetterStatus, reason: str = "") -> None:
    ended = _update(letter, status=status, next_attempt_at=None, error=_storable(reason))
    if not ended or status in (LetterStatus.SENT, LetterStatus.VOID):
        return
    log.warning("letter_not_sent", letter_id=letter.id, status=status.value)
    record(
        workspace_id=letter.workspace_id,
        actor=SYSTEM,
        action=f"email.{status.value}",
        target_id=letter.subject_id,
        target_label=letter.recipient,
        details={"kind": letter.kind},
    )


def _update(letter: Letter, **fields: Any) -> bool:
    """Update the letter unless a later attempt has begun. Return whether it did."""
    current = Letter.objects.filter(
        workspace_id=letter.workspace_id,
        id=letter.id,
        status=LetterStatus.PENDING,
        attempts=letter.attempts,
    )
    return bool(current.update(claimed_until=None, **fields))


def _storable(reason: str) -> str:
    return reason.replace("\x00", "\N{REPLACEMENT CHARACTER}")[:200]
