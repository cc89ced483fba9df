"""The pages of a workspace, the docs pages, sign-up and live updates."""
