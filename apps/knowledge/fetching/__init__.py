"""Fetch web pages, sitemaps and whole sites, politely. No models, no database."""
