"""The docs pages, rendered from the Markdown files of `docs/` and `docs/examples/`."""
