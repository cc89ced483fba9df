"""From a request to the knowledge base or source that it names, or a 404."""

from typing import Annotated

from django.http import HttpRequest
from ninja import Query, Router

from apps.api_kit.authentication import ApiKeyAuth, get_caller
from apps.api_kit.callers import Scope
from apps.knowledge import queries
from apps.knowledge.models import KnowledgeBase, Source

READ = ApiKeyAuth(Scope.READ)
MANAGE = ApiKeyAuth(Scope.MANAGE)
READ_AT_ONCE = ApiKeyAuth(Scope.READ, keeps_responses=False)
MANAGE_AT_ONCE = ApiKeyAuth(Scope.MANAGE, keeps_responses=False)
"""For what changes nothing and waits for others: in no transaction."""
PageOffset = Annotated[int, Query(ge=0, le=1_000_000, description="How many rows to leave out.")]


def new_router() -> Router:
    """A router of knowledge bases' operations."""
    return Router(tags=["knowledge"], by_alias=True)


def find_base(request: HttpRequest, knowledge_base_id: str) -> KnowledgeBase:
    """A knowledge base of the caller's workspace. Raises KnowledgeBaseNotFound."""
    return queries.find_knowledge_base(get_caller(request).workspace_id, knowledge_base_id)


def find_source(request: HttpRequest, source_id: str) -> Source:
    """A source of the caller's workspace. Raises SourceNotFound."""
    return queries.find_source(get_caller(request).workspace_id, source_id)
