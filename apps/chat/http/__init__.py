"""The chat endpoint over HTTP: JSON and server-sent events."""
