"""The paid exchange: open, keep alive, settle and sweep turns. Only `chat` uses it."""
