"""Talking to language models: one protocol, one small file per kind of provider."""
