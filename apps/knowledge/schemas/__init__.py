"""Request and response schemas of knowledge bases, their sources and chunks."""
