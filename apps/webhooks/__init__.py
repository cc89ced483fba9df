"""What a workspace is told of: events, the endpoints they go to, and each delivery."""
