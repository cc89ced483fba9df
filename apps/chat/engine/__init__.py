"""The chat engine: admit a request, run its turn, follow its events. Every transport uses it."""
