"""The docs pages, rendered from `docs/*.md` and `docs/examples/`."""
