"""Changes to knowledge bases, their sources and chunks."""
