"""Sign-up, the first workspace, the choice of a workspace, and invitations."""
