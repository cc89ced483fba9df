"""The dashboard's ear: what happens in a workspace, told to its members as it happens.

The chat path knows nothing of it. A process asks PostgreSQL what has changed, once for all who
listen there and only while somebody does, and follows turns as any follower does. See docs/live.md.
"""
