"""What a workspace's credits went into: its turns, added up."""
