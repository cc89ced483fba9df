"""Views of the workspace's pages, one module per page."""
