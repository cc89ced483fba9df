"""Cut a parsed document into chunks: pure functions, the same result for the same document.

`split.py: split_into_chunks` is the entrance; docs/explanation/knowledge.md has the rules.
"""
