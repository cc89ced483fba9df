"""The owner's pages, a file for each."""
