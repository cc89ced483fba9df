"""Fetch one sitemap file. A crawl follows the further sitemaps that it lists."""

from apps.knowledge.fetching.http_reasons import failure_of_status
from apps.knowledge.fetching.requests import Request, send
from apps.knowledge.fetching.robots import judge_by_robots
from apps.knowledge.fetching.sitemap_parsing import MAX_SITEMAP_BYTES, SitemapFile, parse_sitemap
from apps.knowledge.fetching.types import FetchOptions

_REQUEST = Request(
    {"Accept": "application/xml, text/xml, text/plain, */*;q=0.5"}, MAX_SITEMAP_BYTES
)


def read_sitemap(url: str, *, options: FetchOptions) -> SitemapFile:
    """Fetch and parse a sitemap of a normalised address. Raises FetchFailed or HostBusy."""

    def by_robots(each: str) -> float:
        return judge_by_robots(each, options)

    answer = send(url, _REQUEST, options=options, judge=by_robots)
    if answer.response.status != 200:
        raise failure_of_status(answer.response)
    return parse_sitemap(answer.response.body, answer.url)
