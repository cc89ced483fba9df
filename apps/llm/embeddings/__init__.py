"""Calling embedding models: texts in, vectors out; one small file per kind of provider."""
