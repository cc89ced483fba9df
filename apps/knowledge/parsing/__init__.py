"""Turn the bytes of a file or a web page into blocks of text, in a child process with limits.

`parse.py: parse` is the entrance; docs/explanation/knowledge.md describes the way through.
"""
