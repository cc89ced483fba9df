"""Exports of conversations: files that a background worker writes in parts."""
