"""Changes to chatbots and to the catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models.functions import Now

from apps.audit.services import SYSTEM, Actor, record
from apps.chatbots.errors import ChatbotNotFound
from apps.chatbots.models import Chatbot, ChatbotVersion, LanguageModel
from apps.chatbots.queries import active_language_models, chatbots_for
from apps.llm.catalogue import resolve_model
from apps.workspaces.models import Workspace


def create_language_model(*, name: str, litellm_model: str, **fields: Any) -> LanguageModel:
    """A new catalogue entry. Raises ValidationError, or ValueError for an unknown model id."""
    return save_language_model(
        model=LanguageModel(name=name, litellm_model=litellm_model, **fields)
    )


def save_language_model(*, model: LanguageModel, actor: Actor = SYSTEM) -> LanguageModel:
    """Work out who speaks to the model, check the entry and save it. Raises as `create_language_model`.

    A price that changes is written down by PostgreSQL, with the name of who changed it.
    """
    found = resolve_model(
        model.litellm_model, api_base=model.api_base, api_key_env=model.api_key_env
    )
    model.provider = found.provider
    model.provider_model = found.model
    model.api_base = found.api_base
    model.api_key_env = found.api_key_env
    model.supports_streaming = found.supports_streaming
    if found.context_tokens:
        model.context_tokens = found.context_tokens
    model.full_clean()
    with transaction.atomic(), connection.cursor() as cursor:
        name_actor = "SELECT set_config('parley.actor', %s, true)"
        cursor.execute(name_actor, [actor.label])
        model.save()
        cursor.execute(name_actor, [""])
    return model


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
    "is_active",
)
"""What can be changed of a chatbot, and is kept in its versions."""


def create_chatbot(
    *,
    workspace: Workspace,
    name: str,
    language_model: LanguageModel,
    actor: Actor = SYSTEM,
    **fields: Any,
) -> Chatbot:
    """A new chatbot of the workspace, at version 1. Raises ValidationError."""
    chatbot = Chatbot(workspace=workspace, name=name, language_model=language_model, **fields)
    return save_new_chatbot(chatbot=chatbot, actor=actor)


@transaction.atomic
def save_new_chatbot(*, chatbot: Chatbot, actor: Actor) -> Chatbot:
    """Save a chatbot that is new, at version 1. Raises ValidationError."""
    _validate_language_model(chatbot)
    chatbot.full_clean()
    chatbot.save(force_insert=True)
    _save_version(chatbot, actor, changed=())
    _record(chatbot, actor, "chatbot.created")
    return chatbot


@transaction.atomic
def bulk_create_chatbots(*, chatbots: Sequence[Chatbot]) -> list[Chatbot]:
    """Save many that are new, each at version 1, for databases that are filled rather than lived
    in: nothing is validated but by the database, and the audit log tells of none."""
    made = Chatbot.objects.bulk_create(chatbots, batch_size=1000)
    ChatbotVersion.objects.bulk_create(
        [_build_version(chatbot, SYSTEM, changed=()) for chatbot in made], batch_size=1000
    )
    return made


@transaction.atomic
def update_chatbot(*, chatbot: Chatbot, actor: Actor, changes: Mapping[str, Any]) -> Chatbot:
    """The chatbot with these of its SETTINGS changed, and a version that says so.

    What is given as it was changes nothing; where nothing changes, no version is written. Raises
    ValidationError, or ChatbotNotFound for one that has been deleted meanwhile.
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
    _record(chatbot, actor, "chatbot.updated", changed=changed, version=chatbot.version)
    return chatbot


def duplicate_chatbot(*, chatbot: Chatbot, actor: Actor) -> Chatbot:
    """A chatbot with the same settings, called a copy. Raises ValidationError where its language
    model can no longer be chosen."""
    most = Chatbot._meta.get_field("name").max_length or 0
    settings = {name: getattr(chatbot, name) for name in VERSIONED_FIELDS}
    del settings["language_model_id"]
    return create_chatbot(
        workspace=chatbot.workspace,
        language_model=chatbot.language_model,
        actor=actor,
        **settings | {"name": f"Copy of {chatbot.name}"[:most]},
    )


def restore_version(*, chatbot: Chatbot, version: ChatbotVersion, actor: Actor) -> Chatbot:
    """The chatbot set as it was at that version, which makes a new version. Raises as
    `update_chatbot`: the language model of then may be gone."""
    kept = {name: version.snapshot[name] for name in VERSIONED_FIELDS if name in version.snapshot}
    return update_chatbot(chatbot=chatbot, actor=actor, changes=kept)


@transaction.atomic
def delete_chatbot(*, chatbot: Chatbot, actor: Actor) -> None:
    """End a chatbot: nothing finds it and nobody talks to it from now on.

    Its conversations, leads and turns stay, to be read and deleted for themselves; a turn that
    runs is finished. Raises ChatbotNotFound for one that has been deleted meanwhile.
    """
    chatbot = _lock_chatbot(chatbot)
    chatbot.is_active = False
    chatbot.deleted_at = Now()
    chatbot.save(update_fields=["is_active", "deleted_at"])
    _record(chatbot, actor, "chatbot.deleted")


def _lock_chatbot(chatbot: Chatbot) -> Chatbot:
    """The chatbot as it is now, its row locked against other changes, but not against turns."""
    found = chatbots_for(chatbot.workspace_id).filter(id=chatbot.id)
    locked = found.select_for_update(no_key=True).first()
    if locked is None:
        raise ChatbotNotFound
    return locked


def _validate_language_model(chatbot: Chatbot) -> None:
    if not active_language_models().filter(id=chatbot.language_model_id).exists():
        sentence = "There is no such language model to choose."
        raise ValidationError({"language_model_id": [sentence]})


def _save_version(chatbot: Chatbot, actor: Actor, *, changed: Sequence[str]) -> None:
    _build_version(chatbot, actor, changed=changed).save(force_insert=True)


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


def _record(chatbot: Chatbot, actor: Actor, action: str, **details: Any) -> None:
    record(
        workspace_id=chatbot.workspace_id,
        actor=actor,
        action=action,
        target_id=chatbot.id,
        target_label=chatbot.name,
        details=details,
    )
