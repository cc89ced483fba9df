"""Knowledge bases: how pages are fetched."""

import environ

env = environ.Env()

FETCH_TIMEOUT_SECONDS = env.float("FETCH_TIMEOUT_SECONDS", default=30.0)
"""For a page or file, from the DNS lookup to its last byte."""
FETCH_MAX_BYTES = 20 * 1024 * 1024
"""Of a page or file, as sent and decompressed."""
FETCH_INTERVAL_SECONDS = env.float("FETCH_INTERVAL_SECONDS", default=0.5)
"""The least time between two requests to one host, by all processes together."""
FETCH_ROBOTS_SECONDS = env.float("FETCH_ROBOTS_SECONDS", default=3600.0)
"""How long a site's robots.txt is remembered."""
FETCH_PRIVATE_HOSTS = env.list("FETCH_PRIVATE_HOSTS", default=[])
"""Names of hosts whose pages may be fetched from private addresses, for intranets; * for all."""
FETCH_CONTACT = env.str("FETCH_CONTACT", default="")
"""Where owners of sites can write about our robot; the sender of emails by default."""

KNOWLEDGE_RETRIEVAL_SECONDS = env.float("KNOWLEDGE_RETRIEVAL_SECONDS", default=3.0)
"""How long a turn searches for passages before it goes on without."""
KNOWLEDGE_CLAIM_SECONDS = env.float("KNOWLEDGE_CLAIM_SECONDS", default=30.0)
"""How soon another worker continues the indexing of a source after its own has died."""
