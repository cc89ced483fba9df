from apps.core.errors import NotFound, ServiceUnavailable


class KnowledgeBaseNotFound(NotFound):
    """Absent, deleted or of another workspace: not distinguished."""

    code = "KNOWLEDGE_BASE_NOT_FOUND"
    message = "Knowledge base not found or access denied"


class SourceNotFound(NotFound):
    """Absent, deleted or of another workspace: not distinguished."""

    code = "SOURCE_NOT_FOUND"
    message = "Source not found or access denied"


class SourceFileNotFound(NotFound):
    """The source is not an uploaded file."""

    code = "SOURCE_FILE_NOT_FOUND"
    message = "This source is not a file"


class ChunkNotFound(NotFound):
    """Absent, of a deleted source, found no more or of another workspace: not distinguished."""

    code = "CHUNK_NOT_FOUND"
    message = "Chunk not found or access denied"


class EmbeddingModelNotFound(NotFound):
    """The embedding model does not exist or is not active."""

    code = "EMBEDDING_MODEL_NOT_FOUND"
    message = "Embedding model not found"


class EmbeddingUnavailable(ServiceUnavailable):
    """The embedding model did not embed the question."""

    code = "EMBEDDING_UNAVAILABLE"
    message = "The knowledge base's embedding model does not answer. Try again shortly."


class IndexingFailed(Exception):
    """A source cannot be indexed. The message is a sentence for its owner."""


class IndexingPaused(Exception):
    """The indexing goes on in `seconds`, in whichever worker. The message is what its owner is told
    meanwhile; "" for nothing. Nothing has failed."""

    def __init__(self, reason: str = "", *, seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.seconds = seconds


class IndexingDelayed(Exception):
    """A source cannot be indexed now. The message says why; `seconds` is when to try again."""

    def __init__(self, reason: str, *, seconds: float) -> None:
        super().__init__(reason)
        self.seconds = seconds
