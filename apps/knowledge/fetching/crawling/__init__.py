"""Crawl a site: which addresses belong to it, in which order, and what came of each."""
