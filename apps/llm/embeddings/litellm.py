"""All other embedding models, through litellm: Cohere, Voyage, Gemini, Bedrock and more."""

from typing import Any

from apps.llm.embeddings.types import EmbeddingRequest, Embeddings
from apps.llm.embeddings.vectors import build_embeddings
from apps.llm.errors import InputRefused
from apps.llm.providers import litellm as provider

INPUT_STATUSES = (400, 413, 422)


async def embed(request: EmbeddingRequest) -> Embeddings:
    """Embed with any model that litellm knows; `request.model` is its litellm id.

    Raises: ProviderFailed, ProviderUnavailable; InputRefused for a status that may be about the
    texts.
    """
    litellm = await provider.load()
    optional = {
        "api_base": request.api_base or None,
        "api_key": provider.key_for(request),
    }
    try:
        answer = await litellm.aembedding(
            model=request.model,
            input=list(request.texts),
            timeout=request.timeout_seconds,
            num_retries=0,
            max_retries=0,
            **{name: value for name, value in optional.items() if value is not None},
        )
    except Exception as error:
        if getattr(error, "status_code", None) in INPUT_STATUSES:
            # litellm's own text quotes what the provider said, so the chain is cut here.
            raise _refusal(request, error) from None
        mapped = provider.map_error(request, error, has_started=False)
        if mapped is None:
            raise
        raise mapped from None
    usage = getattr(answer, "usage", None)
    return build_embeddings(
        request, [_item(each) for each in answer.data], getattr(usage, "prompt_tokens", None)
    )


def _refusal(request: EmbeddingRequest, error: Any) -> InputRefused:
    detail = f"{request.model}: the provider refused the texts with status {error.status_code}"
    return InputRefused(detail, says_too_long="ContextWindow" in type(error).__name__)


def _item(each: Any) -> Any:
    return each if isinstance(each, dict) else each.model_dump()
