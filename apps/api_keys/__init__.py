"""API keys: create, verify, rotate and revoke them; idempotency keys."""
