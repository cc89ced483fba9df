"""Ids, errors and text helpers that every app uses. Does no I/O and imports no app."""
