"""One module a format: bytes → ParsedDocument. They run in the child process only."""
