"""Live updates: a WebSocket that sends workspace events to signed-in members.

Each process polls PostgreSQL once for all its subscribers, and only while there are some; the code
that runs turns does not publish anything. Turns are followed through the chat engine, as by any
other client. See docs/reference/live-updates.md.
"""
