"""Schemas of the knowledge bases of a chatbot."""

from typing import Annotated

from pydantic import Field

from apps.api_kit.schemas import Id, RequestSchema, ResponseSchema
from apps.knowledge.schemas.bases import KnowledgeBaseSchema


class AttachKnowledgeBasesSchema(RequestSchema):
    """The ids of all knowledge bases that the chatbot is to answer from; none to detach all."""

    knowledge_base_ids: Annotated[list[Id], Field(max_length=20)]


class AttachedKnowledgeBasesSchema(ResponseSchema):
    knowledge_bases: list[KnowledgeBaseSchema]
