"""REST endpoints of knowledge bases: one module for each kind of thing."""

from apps.knowledge.api import bases, chunks, sources

routers = (bases.router, sources.router, chunks.router)
