"""When a crawl leaves a site alone that does not answer, and when it gives up."""

from apps.knowledge.fetching.crawling.frontier import Frontier
from apps.knowledge.fetching.errors import FetchFailed

MAX_ATTEMPTS = 3
MAX_FAILURES_IN_A_ROW = 5
"""After as many temporary failures one after another the site is left alone for some minutes."""
MAX_PAUSES = 3
MAX_WAIT_SECONDS = 3600.0

_RETRY_SECONDS = (15.0, 60.0)
_PAUSE_SECONDS = (60.0, 120.0, 240.0)


def note_answer(frontier: Frontier) -> None:
    """The site has answered."""
    frontier.requests += 1
    frontier.failures_in_a_row = 0
    frontier.last_failure = ""


def wait_after(failure: FetchFailed, attempts: int, frontier: Frontier) -> float:
    """Note a temporary failure. Returns for how long to leave the site alone; 0 to go on with
    addresses that were not tried yet."""
    frontier.requests += 1
    frontier.failures_in_a_row += 1
    frontier.last_failure = str(failure)
    if frontier.failures_in_a_row >= MAX_FAILURES_IN_A_ROW:
        frontier.failures_in_a_row = 0
        frontier.pauses += 1
        frontier.problem = str(failure)
        pause = _PAUSE_SECONDS[min(frontier.pauses, len(_PAUSE_SECONDS)) - 1]
        return max(pause, float(failure.retry_after or 0))
    has_others = any(each.attempts == 0 for each in frontier.pending)
    if has_others and failure.retry_after is None and frontier.is_started:
        return 0.0
    retry = _RETRY_SECONDS[min(attempts, len(_RETRY_SECONDS) - 1)]
    return float(failure.retry_after or retry)
