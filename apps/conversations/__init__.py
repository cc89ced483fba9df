"""Conversations, their messages, ratings, turns, search and exports."""
