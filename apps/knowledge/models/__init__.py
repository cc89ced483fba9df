from apps.knowledge.models.bases import ChatbotKnowledgeBase, KnowledgeBase
from apps.knowledge.models.chunks import Chunk, ChunkOverride, ChunkVector
from apps.knowledge.models.generations import Document, DocumentStatus, Generation
from apps.knowledge.models.sources import (
    RefreshInterval,
    Source,
    SourceFile,
    SourceStatus,
    SourceType,
)
from apps.knowledge.models.uncharged import UnchargedEmbedding

__all__ = [
    "ChatbotKnowledgeBase",
    "Chunk",
    "ChunkOverride",
    "ChunkVector",
    "Document",
    "DocumentStatus",
    "Generation",
    "KnowledgeBase",
    "RefreshInterval",
    "Source",
    "SourceFile",
    "SourceStatus",
    "SourceType",
    "UnchargedEmbedding",
]
