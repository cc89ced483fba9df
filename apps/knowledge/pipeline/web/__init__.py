"""Read pages, sitemaps and sites: fetch some pages, parse them in one process, store them.

reading      the loop, which any worker can continue after each commit
batches      the next requests of a crawl
documents    what becomes of an address: a document with chunks, or with a reason
earlier      the pages of the live generation, which need not be read again
results      what the owner is told at the end
"""
