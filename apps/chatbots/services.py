"""Changes to chatbots and the catalogue of models."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models.functions import Now

from apps.audit.services import SYSTEM, Actor, record_change
from apps.chatbots.errors import ChatbotNotFound
from apps.chatbots.models import Chatbot, ChatbotVersion, EmbeddingModel, LanguageModel
from apps.chatbots.queries import active_language_models, chatbots_for
from apps.infrastructure.postgres.rows import first_or_raise
from apps.llm.catalogue import resolve_model
from apps.llm.errors import KeyNotAllowed
from apps.workspaces.models import Workspace
from apps.workspaces.services import lock_workspace, require_fewer


def create_language_model(*, name: str, litellm_model: str, **fields: Any) -> LanguageModel:
    """Create a language model. Raises ValidationError, or ValueError for an unknown model id."""
    return save_language_model(
        model=LanguageModel(name=name, litellm_model=litellm_model, **fields)
    )


def save_language_model(*, model: LanguageModel, actor: Actor = SYSTEM) -> LanguageModel:
    """Resolve the model's provider, validate and save it. Raises as `create_language_model`.

    A trigger records a changed price with the actor's name, which is passed in the transaction's
    `parley.actor` setting.
    """
    try:
        resolved = resolve_model(
            model.litellm_model, api_base=model.api_base, api_key_env=model.api_key_env
        )
    except KeyNotAllowed as error:
        raise ValidationError({"api_key_env": str(error)}) from None
    model.provider = resolved.provider
    model.provider_model = resolved.model
    model.api_base = resolved.api_base
    model.api_key_env = resolved.api_key_env
    model.supports_streaming = resolved.supports_streaming
    if resolved.context_tokens:
        model.context_tokens = resolved.context_tokens
    model.full_clean()
    with transaction.atomic(), connection.cursor() as cursor:
        set_actor = "SELECT set_config('parley.actor', %s, true)"
        cursor.execute(set_actor, [actor.label])
        model.save()
        cursor.execute(set_actor, [""])
    return model


def create_embedding_model(
    *, name: str, litellm_model: str, dimensions: int | None = None, **fields: Any
) -> EmbeddingModel:
    """Create an embedding model.

    `dimensions`: None for what the sandbox or litellm knows. The first model that is not one of the
    sandbox becomes the default. Raises as `save_embedding_model`.
    """
    fields |= {"dimensions": dimensions}
    model = EmbeddingModel(name=name, litellm_model=litellm_model, **fields)
    is_sandbox = litellm_model.startswith("sandbox/")
    if not is_sandbox and not EmbeddingModel.objects.exclude(provider="sandbox").exists():
        model.is_default = model.is_active
    return save_embedding_model(model=model)


def save_embedding_model(*, model: EmbeddingModel) -> EmbeddingModel:
    """Resolve the model's provider, validate and save it; a new default replaces the old one.

    Raises as `prepare_embedding_model`.
    """
    prepare_embedding_model(model)
    with transaction.atomic():
        if model.is_default:
            others = EmbeddingModel.objects.filter(is_default=True).exclude(id=model.id)
            others.update(is_default=False)
        model.full_clean()
        model.save()
    return model


def prepare_embedding_model(model: EmbeddingModel) -> None:
    """Resolve the model's provider, and validate what depends on other rows or the stored one.

    Raises ValidationError, also if the default would be given up without a successor or a field
    that stored vectors depend on is changed; ValueError for an unknown model id.
    """
    try:
        resolved = resolve_model(
            model.litellm_model,
            api_base=model.api_base,
            api_key_env=model.api_key_env,
            purpose="embeddings",
        )
    except KeyNotAllowed as error:
        raise ValidationError({"api_key_env": str(error)}) from None
    model.provider = resolved.provider
    model.provider_model = resolved.model
    model.api_base = resolved.api_base
    model.api_key_env = resolved.api_key_env
    dimensions = cast("int | None", model.dimensions) or resolved.dimensions
    if dimensions is None:
        raise ValidationError({"dimensions": "Give the number of dimensions of its vectors."})
    model.dimensions = dimensions
    if resolved.context_tokens:
        model.max_input_tokens = min(model.max_input_tokens, resolved.context_tokens)
    if model.is_default and not model.is_active:
        raise ValidationError({"is_active": "Make another model the default first."})
    if stored := EmbeddingModel.objects.filter(id=model.id).first():
        _validate_embedding_change(stored, model)


def _validate_embedding_change(stored: EmbeddingModel, model: EmbeddingModel) -> None:
    text = "Stored vectors depend on this. Add another embedding model instead."
    errors = {
        name: text
        for name in EMBEDDING_SPACE_FIELDS
        if getattr(stored, name) != getattr(model, name)
    }
    if stored.is_default and not model.is_default:
        errors["is_default"] = "Make another model the default instead."
    if errors:
        raise ValidationError(errors)


EMBEDDING_SPACE_FIELDS = ("litellm_model", "dimensions", "passage_prefix")
"""What the vectors of an embedding model depend on; a trigger refuses to change it, too."""

VERSIONED_FIELDS = (
    "name",
    "language_model_id",
    "system_prompt",
    "temperature",
    "max_reply_tokens",
    "history_limit",
    "rate_limit_requests",
    "rate_limit_window_seconds",
    "stream_by_default",
    "lead_capture",
    "knowledge_mode",
    "knowledge_passages",
    "knowledge_tokens",
    "knowledge_not_found_reply",
    "is_active",
)
"""The fields of a chatbot that can be changed and that its versions store."""


def create_chatbot(
    *,
    workspace: Workspace,
    name: str,
    language_model: LanguageModel,
    actor: Actor = SYSTEM,
    **fields: Any,
) -> Chatbot:
    """Create a chatbot at version 1. Raises as `save_new_chatbot`."""
    chatbot = Chatbot(workspace=workspace, name=name, language_model=language_model, **fields)
    return save_new_chatbot(chatbot=chatbot, actor=actor)


@transaction.atomic
def save_new_chatbot(*, chatbot: Chatbot, actor: Actor) -> Chatbot:
    """Save a new chatbot at version 1.

    Raises ValidationError; LimitReached if the workspace has MAX_CHATBOTS; NotFound if it is
    closed.
    """
    lock_workspace(workspace_id=chatbot.workspace_id)
    text = "A workspace has at most {limit} chatbots. Delete one first."
    chatbots = chatbots_for(chatbot.workspace_id)
    require_fewer(chatbots, settings.MAX_CHATBOTS, limit_text=text)
    _validate_language_model(chatbot)
    chatbot.full_clean()
    chatbot.save(force_insert=True)
    _save_version(chatbot, actor, changed=())
    record_change(chatbot, actor=actor, action="chatbot.created")
    return chatbot


@transaction.atomic
def bulk_create_chatbots(*, chatbots: Sequence[Chatbot]) -> list[Chatbot]:
    """Save many new chatbots at version 1, for demos and benchmarks: unvalidated, unaudited."""
    created = Chatbot.objects.bulk_create(chatbots, batch_size=1000)
    ChatbotVersion.objects.bulk_create(
        [_build_version(chatbot, SYSTEM, changed=()) for chatbot in created], batch_size=1000
    )
    return created


@transaction.atomic
def update_chatbot(*, chatbot: Chatbot, actor: Actor, changes: Mapping[str, Any]) -> Chatbot:
    """Change some of the VERSIONED_FIELDS and create a version.

    Creates no version if all values are unchanged. Raises ValidationError, or ChatbotNotFound if
    the chatbot has been deleted since.
    """
    if unknown := changes.keys() - set(VERSIONED_FIELDS):
        raise ValueError(f"Not to be changed: {', '.join(sorted(unknown))}.")
    chatbot = _lock_chatbot(chatbot)
    changed = [name for name, value in changes.items() if value != getattr(chatbot, name)]
    if not changed:
        return chatbot
    for name in changed:
        setattr(chatbot, name, changes[name])
    if "language_model_id" in changed:
        _validate_language_model(chatbot)
    chatbot.version += 1
    chatbot.full_clean()
    chatbot.save(update_fields=[*changed, "version"])
    _save_version(chatbot, actor, changed=changed)
    record_change(
        chatbot, actor=actor, action="chatbot.updated", changed=changed, version=chatbot.version
    )
    return chatbot


def duplicate_chatbot(*, chatbot: Chatbot, actor: Actor) -> Chatbot:
    """Create a copy of a chatbot. Raises as `save_new_chatbot`: its model may not be active."""
    max_length = Chatbot._meta.get_field("name").max_length or 0
    settings = {name: getattr(chatbot, name) for name in VERSIONED_FIELDS}
    del settings["language_model_id"]
    return create_chatbot(
        workspace=chatbot.workspace,
        language_model=chatbot.language_model,
        actor=actor,
        **settings | {"name": f"Copy of {chatbot.name}"[:max_length]},
    )


def restore_version(*, chatbot: Chatbot, version: ChatbotVersion, actor: Actor) -> Chatbot:
    """Restore the settings of an earlier version as a new one. Raises as `update_chatbot`."""
    snapshot = version.snapshot
    settings = {name: snapshot[name] for name in VERSIONED_FIELDS if name in snapshot}
    return update_chatbot(chatbot=chatbot, actor=actor, changes=settings)


@transaction.atomic
def delete_chatbot(*, chatbot: Chatbot, actor: Actor) -> None:
    """Mark a chatbot as deleted, which hides it and refuses new requests.

    Its conversations, leads and turns stay; a running turn finishes. Raises ChatbotNotFound if
    it has been deleted already.
    """
    chatbot = _lock_chatbot(chatbot)
    chatbot.is_active = False
    chatbot.deleted_at = Now()
    chatbot.save(update_fields=["is_active", "deleted_at"])
    record_change(chatbot, actor=actor, action="chatbot.deleted")


def _lock_chatbot(chatbot: Chatbot) -> Chatbot:
    """Return the chatbot's current row, locked against changes but not against new turns."""
    chatbots = chatbots_for(chatbot.workspace_id).filter(id=chatbot.id)
    return first_or_raise(chatbots.select_for_update(no_key=True), ChatbotNotFound)


def _validate_language_model(chatbot: Chatbot) -> None:
    if not active_language_models().filter(id=chatbot.language_model_id).exists():
        raise ValidationError({"language_model_id": ["There is no such language model to choose."]})


def _save_version(chatbot: Chatbot, actor: Actor, *, changed: Sequence[str]) -> None:
    _build_version(chatbot, actor, changed=changed).save(force_insert=True)
    if (oldest := chatbot.version - settings.MAX_CHATBOT_VERSIONS) > 0:
        versions = ChatbotVersion.objects.filter(workspace_id=chatbot.workspace_id, chatbot=chatbot)
        versions.filter(number__lte=oldest).delete()


def _build_version(chatbot: Chatbot, actor: Actor, *, changed: Sequence[str]) -> ChatbotVersion:
    snapshot = {name: getattr(chatbot, name) for name in VERSIONED_FIELDS}
    return ChatbotVersion(
        workspace_id=chatbot.workspace_id,
        chatbot=chatbot,
        number=chatbot.version,
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_label=actor.label[:300],
        changed=list(changed),
        snapshot=snapshot | {"language_model": chatbot.language_model.name},
    )
