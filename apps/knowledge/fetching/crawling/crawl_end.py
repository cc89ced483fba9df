"""What to tell the owner at the end of a crawl."""

from apps.knowledge.fetching.crawling.frontier import Frontier
from apps.knowledge.fetching.crawling.outcomes import CrawlEnded
from apps.knowledge.fetching.types import CrawlRules


def ended(frontier: Frontier, rules: CrawlRules) -> CrawlEnded:
    """The figures of a crawl, and a sentence if its owner has to know something."""
    left = len(frontier.pending)
    return CrawlEnded(
        fetched=frontier.fetched,
        skipped=frontier.skipped,
        failed=frontier.failed,
        left=left,
        is_complete=left == 0 and not frontier.sitemaps,
        note=_note(frontier, rules, left),
    )


def _note(frontier: Frontier, rules: CrawlRules, left: int) -> str:
    if frontier.fetched == 0 and not frontier.problem and not frontier.follows_links:
        return "No page could be read: the sitemap lists no pages of its own site."
    if frontier.fetched == 0:
        return f"No page could be read. {frontier.problem}".strip()
    if left and frontier.fetched >= rules.max_pages:
        more = "at least " if frontier.is_full else ""
        return (
            f"The limit of {rules.max_pages:,} pages is reached; {more}{left:,} further addresses"
            " were found and not visited."
        )
    if left:
        return f"The crawl ended early, with {left:,} addresses not visited. {frontier.problem}"
    is_alone = frontier.fetched == 1 and frontier.skipped + frontier.failed == 0
    if is_alone and frontier.follows_links and rules.max_depth > 0:
        return (
            "Only the first page was found: it has no links to follow, and the site no sitemap."
            " Links that a browser makes by JavaScript are not seen; add a sitemap or the pages."
        )
    return ""
