"""One file per kind of provider. A new one is a new file and a line in `apps.llm.services`."""
