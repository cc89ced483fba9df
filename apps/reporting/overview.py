"""Metrics of a workspace for the overview page, each read with one SQL statement."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

DAY = timedelta(days=1)
PERIODS = {"today": DAY, "7d": 7 * DAY, "30d": 30 * DAY}
"""The periods of the page. "today" is the last 24 hours, so that it is not empty in the morning."""


@dataclass(frozen=True, slots=True)
class Summary:
    """Metrics of a period. `p50_ms` and `p95_ms` are times to the first token, None without any."""

    messages: int
    conversations: int
    credits: int
    turns: int
    failed: int
    p50_ms: int | None
    p95_ms: int | None

    @property
    def error_rate(self) -> float:
        """The percentage of turns that failed or were abandoned."""
        return 100 * self.failed / self.turns if self.turns else 0.0


_SUMMARY = """
SELECT count(*) + count(*) FILTER (WHERE finish_reason <> ''),
       count(DISTINCT conversation_id),
       coalesce(sum(credits_charged), 0),
       count(*),
       count(*) FILTER (WHERE status IN ('failed', 'abandoned')),
       percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (
         ORDER BY 1000 * extract(epoch FROM first_token_at - created_at)
       ) FILTER (WHERE first_token_at IS NOT NULL)
FROM conversations_turn
WHERE workspace_id = %(workspace)s AND created_at >= %(since)s AND created_at < %(until)s
"""

_ACTIVE_USERS = """
SELECT count(DISTINCT message.metadata ->> 'userId')
FROM conversations_turn AS turn
JOIN conversations_message AS message ON message.turn_id = turn.id AND message.role = 'user'
WHERE turn.workspace_id = %(workspace)s
  AND turn.created_at >= %(since)s AND turn.created_at < %(until)s
"""

_SERIES = """
SELECT bucket.at, count(turn.id), coalesce(sum(turn.credits_charged), 0),
       count(turn.id) FILTER (WHERE turn.status IN ('failed', 'abandoned')),
       coalesce(percentile_cont(0.5) WITHIN GROUP (
         ORDER BY 1000 * extract(epoch FROM turn.first_token_at - turn.created_at)), 0),
       coalesce(percentile_cont(0.95) WITHIN GROUP (
         ORDER BY 1000 * extract(epoch FROM turn.first_token_at - turn.created_at)), 0)
FROM generate_series(date_bin(%(step)s, %(since)s, 'epoch'), %(until)s, %(step)s) AS bucket (at)
LEFT JOIN conversations_turn AS turn
  ON turn.workspace_id = %(workspace)s
 AND turn.created_at >= bucket.at AND turn.created_at < bucket.at + %(step)s
GROUP BY bucket.at
ORDER BY bucket.at
"""

_ERRORS = """
SELECT error_code, count(*)
FROM conversations_turn
WHERE workspace_id = %(workspace)s AND created_at >= %(since)s AND created_at < %(until)s
  AND error_code <> ''
GROUP BY error_code
ORDER BY count(*) DESC, error_code
"""


def summary(workspace_id: str, *, since: datetime, until: datetime) -> Summary:
    """Return the metrics of the turns that opened at `since` or later and before `until`."""
    row = _rows(_SUMMARY, workspace_id, since, until)[0]
    p50, p95 = row[5] or (None, None)
    return Summary(
        messages=row[0],
        conversations=row[1],
        credits=int(row[2]),
        turns=row[3],
        failed=row[4],
        p50_ms=None if p50 is None else round(p50),
        p95_ms=None if p95 is None else round(p95),
    )


def describe_change(now: int, before: int, *, period: str) -> str:
    """Compare a metric with the previous period: `▲ 24% vs. previous 7 days`."""
    if not before:
        return f"None in previous {period}"
    percent = round(100 * abs(now - before) / before)
    if not percent:
        return f"Same as previous {period}"
    return f"{'▲' if now > before else '▼'} {percent:,}% vs. previous {period}"


def count_active_users(workspace_id: str, *, since: datetime, until: datetime) -> int:
    """Count the distinct `metadata.userId` of messages in the period.

    Unlike the other metrics, it reads every message of the period.
    """
    return int(_rows(_ACTIVE_USERS, workspace_id, since, until)[0][0])


@dataclass(frozen=True, slots=True)
class Bucket:
    """The metrics of an hour or a day, for the charts."""

    at: datetime
    turns: int
    credits: int
    failed: int
    p50_ms: int
    p95_ms: int


def turns_over_time(workspace_id: str, *, since: datetime, until: datetime) -> list[Bucket]:
    """Return hourly buckets for up to a day, else daily ones, including empty buckets."""
    step = timedelta(hours=1) if until - since <= DAY else DAY
    rows = _rows(_SERIES, workspace_id, since, until, step)
    return [
        Bucket(start, turns, int(credits), failed, round(p50), round(p95))
        for start, turns, credits, failed, p50, p95 in rows
    ]


def count_errors_by_code(
    workspace_id: str, *, since: datetime, until: datetime
) -> list[tuple[str, int]]:
    """Return how many turns ended with each error code, the most frequent first."""
    return [(code, count) for code, count in _rows(_ERRORS, workspace_id, since, until)]


def days_until_empty(*, balance: int, credits: int, period: timedelta) -> int | None:
    """Return in how many days a balance lasts at the rate of a period, None if nothing is used."""
    if credits <= 0:
        return None
    return int(balance / (credits / (period / DAY)))


def _rows(
    statement: str,
    workspace_id: str,
    since: datetime,
    until: datetime,
    step: timedelta | None = None,
) -> list[tuple[Any, ...]]:
    values: dict[str, Any] = {
        "workspace": workspace_id,
        "since": since,
        "until": until,
        "step": step,
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())
