"""The tenant: workspaces and who belongs to them."""
