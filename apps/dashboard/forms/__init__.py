"""What people fill in on a workspace's pages, a file for each page."""
