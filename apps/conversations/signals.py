"""Signals for apps above this one."""

from django.dispatch import Signal

conversation_erased = Signal()
"""Sent while a conversation is erased, in its transaction: `workspace_id`, `conversation_id`."""
