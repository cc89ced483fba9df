"""Pages that are there twice: under their canonical address, or with the same content."""

from urllib.parse import urlsplit

from apps.knowledge.fetching.crawling.candidates import Candidates
from apps.knowledge.fetching.crawling.frontier import Frontier, Seen, Visit, key_of
from apps.knowledge.fetching.urls import site_of


def same_content(digest: str, url: str, frontier: Frontier) -> str | None:
    """The address under which a body was kept already; None if this is the first."""
    if not digest:
        return None
    other = frontier.contents.setdefault(digest[:16], url)
    return other if key_of(other) != key_of(url) else None


def wait_for_canonical(
    canonical: str, visit: Visit, url: str, candidates: Candidates, frontier: Frontier
) -> bool:
    """Whether a page is left to its canonical address, which is visited next.

    A canonical address is a hint. One on another site or one that the rules leave out is ignored,
    and so is the home page as the address of other pages: a common mistake, by which all are lost.
    """
    if not canonical or site_of(canonical) != frontier.site or urlsplit(canonical).path == "/":
        return False
    if visit.is_alone or key_of(canonical) in (key_of(url), key_of(visit.url)):
        return False
    state = frontier.state_of(canonical)
    if state in (Seen.WAITING, Seen.LEFT_OUT) or candidates.refusal(canonical):
        return False
    if state is None:
        frontier.mark(canonical, Seen.PENDING)
        frontier.pending.appendleft(Visit(canonical, visit.depth))
    if state != Seen.KEPT:
        waiters = frontier.canonical_waiters.setdefault(key_of(canonical), [])
        waiters.append([visit.url, visit.depth])
        frontier.mark(visit.url, Seen.WAITING)
    return True


def forget_waiters(url: str, frontier: Frontier) -> None:
    """The canonical address is kept: those that named it are not needed."""
    frontier.canonical_waiters.pop(key_of(url), None)


def revive_waiters(url: str, frontier: Frontier) -> None:
    """Visit the pages again whose canonical address has come to nothing."""
    for waiter, depth in frontier.canonical_waiters.pop(key_of(url), []):
        frontier.mark(waiter, Seen.PENDING)
        frontier.pending.appendleft(Visit(waiter, depth, is_alone=True))
