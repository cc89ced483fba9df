"""REST endpoints of knowledge bases: one module for each kind of thing."""

from apps.knowledge.api import attachments, bases, chunks, sources

routers = (bases.router, attachments.router, sources.router, chunks.router)
