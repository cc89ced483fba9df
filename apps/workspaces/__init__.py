"""Workspaces (tenants), their members and invitations."""
