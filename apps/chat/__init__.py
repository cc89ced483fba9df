"""The engine that runs a turn, and its edges: DRF, SSE, Channels."""
