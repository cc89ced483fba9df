"""Conversations as files: asked for, written part by part by the job worker, kept for some days."""
