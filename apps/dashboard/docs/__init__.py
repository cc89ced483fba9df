"""The docs pages: `docs/*.md` cut into pages, with examples from `docs/examples/`."""
