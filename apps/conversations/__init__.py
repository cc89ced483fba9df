"""Conversations, their messages, and the turn: one paid exchange."""
