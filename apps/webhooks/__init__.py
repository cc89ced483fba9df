"""Webhooks: events, the endpoints they are sent to, and each delivery."""
