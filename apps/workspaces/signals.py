"""Signals of workspaces, for apps above to connect to."""

from django.dispatch import Signal

erasure_requested = Signal()
"""Sent once a requested erasure has been committed and waits for a worker. Sender: `Erasure`."""
