"""Seed the demo workspace."""

import secrets
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.services import mark_email_verified
from apps.api_keys.errors import InvalidApiKey
from apps.api_keys.queries import authenticate_key
from apps.api_keys.services import issue_key
from apps.api_kit.callers import Scope
from apps.audit.services import SYSTEM, user_actor
from apps.chatbots.models import Chatbot, EmbeddingModel, LanguageModel
from apps.chatbots.queries import chatbots_for
from apps.chatbots.services import (
    create_chatbot,
    create_embedding_model,
    create_language_model,
    save_embedding_model,
    save_language_model,
    update_chatbot,
)
from apps.conversations.models import Turn
from apps.credits.plans import start_plan
from apps.credits.queries import balance_for
from apps.credits.services import grant
from apps.demo.seed_activity import seed_activity
from apps.demo.seed_history import seed_history
from apps.demo.seed_knowledge import seed_knowledge
from apps.demo.seed_refused_requests import seed_refused_requests
from apps.demo.seed_team import seed_team
from apps.workspaces.models import Workspace
from apps.workspaces.services import create_workspace

SLUG = "demo"
OWNER = "owner@demo.example"
STAFF = "staff@demo.example"
CREDITS = 10_000
MODEL = "SmolLM2 135M"
EMBEDDING_MODEL = "multilingual-e5-small"
PROMPT = (
    "You are the assistant of Parley, a platform for chatbots. "
    "Answer in one or two short, friendly sentences."
)


@transaction.atomic
def seed_demo(
    *, base_url: str, model_api_base: str, previous: dict[str, Any], embedding_api_base: str = ""
) -> dict[str, Any]:
    """Create or repair the demo workspace. Return its URL and credentials.

    `previous` is the result of the last run: its passwords and API key are kept if still valid.
    """
    owner, owner_password = _verified_user(OWNER, previous.get("owner_password"))
    _, staff_password = _verified_user(
        STAFF, previous.get("staff_password"), is_staff=True, is_superuser=True
    )
    workspace = Workspace.objects.filter(slug=SLUG).first()
    workspace = workspace or create_workspace(slug=SLUG, owner=owner, name="Demo")
    if embedding_api_base:
        seed_embedding_model(embedding_api_base)
    model = _language_model(model_api_base)
    chatbot = _demo_chatbot(workspace, model)
    if not Turn.objects.filter(workspace=workspace).exists():
        now, shop_chatbots = timezone.now(), _create_shop_chatbots(workspace, model)
        chatbots = [chatbot, *shop_chatbots]
        keys = seed_team(workspace=workspace, owner=owner, chatbots=chatbots, now=now)
        knowledge = seed_knowledge(
            workspace=workspace, chatbots=shop_chatbots, actor=user_actor(owner), now=now
        )
        leads = seed_history(workspace=workspace, chatbots=chatbots, keys=keys, knowledge=knowledge)
        seed_activity(workspace=workspace, leads=leads, now=now)
        seed_refused_requests(workspace=workspace, chatbots=chatbots, keys=keys, now=now)
        start_plan(workspace_id=workspace.id, plan="free", grant_credits=True, now=now)
    if balance_for(workspace.id).balance < CREDITS // 10:
        grant(workspace_id=workspace.id, credits=CREDITS, reason="Credits for the demo")
    return {
        "base_url": base_url,
        "workspace": workspace.slug,
        "owner_email": OWNER,
        "owner_password": owner_password,
        "staff_email": STAFF,
        "staff_password": staff_password,
        "chatbot_id": chatbot.id,
        "api_key": _api_key(workspace, previous.get("api_key")),
    }


def _verified_user(email: str, password: str | None, **fields: Any) -> tuple[User, str]:
    user = User.objects.filter(email__iexact=email).first()
    user = user or User.objects.create_user(email, **fields)
    if not (password and user.check_password(password)):
        password = secrets.token_urlsafe(12)
        user.set_password(password)
        user.save(update_fields=["password"])
    mark_email_verified(user=user)
    return user, password


def _language_model(api_base: str) -> LanguageModel:
    """Return the model at a local server, or the sandbox's echo model without one."""
    if not api_base:
        return LanguageModel.objects.get(name="sandbox/echo")
    model = LanguageModel.objects.filter(name=MODEL).first()
    if model is None:
        return create_language_model(
            name=MODEL,
            litellm_model="openai/smollm2",
            api_base=api_base,
            credits_per_reply=1,
            context_tokens=2048,
            description="A small language model that runs on this machine.",
        )
    model.api_base = api_base
    return save_language_model(model=model)


def seed_embedding_model(api_base: str) -> EmbeddingModel:
    """Make the model at a local server the default, or note its new address."""
    model = EmbeddingModel.objects.filter(name=EMBEDDING_MODEL).first()
    if model is None:
        return create_embedding_model(
            name=EMBEDDING_MODEL,
            litellm_model="openai/multilingual-e5-small",
            api_base=api_base,
            dimensions=384,
            max_input_tokens=512,
            query_prefix="query: ",
            passage_prefix="passage: ",
            batch_size=16,
            is_default=True,
            description="A small model of a hundred languages that runs on this machine.",
        )
    model.api_base = api_base
    return save_embedding_model(model=model)


def _demo_chatbot(workspace: Workspace, model: LanguageModel) -> Chatbot:
    chatbot = chatbots_for(workspace.id).order_by("created_at").first()
    if chatbot is None:
        return create_chatbot(
            workspace=workspace,
            name="Assistant",
            language_model=model,
            system_prompt=PROMPT,
            max_reply_tokens=120,
            temperature=0.3,
        )
    changes = {"language_model_id": model.id}
    for other in chatbots_for(workspace.id).filter(language_model__name=MODEL):
        update_chatbot(chatbot=other, actor=SYSTEM, changes=changes)
    return update_chatbot(chatbot=chatbot, actor=SYSTEM, changes=changes)


def _create_shop_chatbots(workspace: Workspace, model: LanguageModel) -> list[Chatbot]:
    """Two chatbots that answer from the shop's pages, in few tokens: the local model reads 2048."""
    echo = LanguageModel.objects.get(name="sandbox/echo")
    return [
        create_chatbot(
            workspace=workspace,
            name=name,
            language_model=language_model,
            stream_by_default=streams,
            knowledge_passages=3,
            knowledge_tokens=600,
        )
        for name, language_model, streams in (
            ("Order support", model, True),
            ("Size advice", echo, False),
        )
    ]


def _api_key(workspace: Workspace, secret: str | None) -> str:
    try:
        if secret and authenticate_key(secret).workspace_id == workspace.id:
            return secret
    except InvalidApiKey:
        pass
    return issue_key(workspace=workspace, name="Demo", scopes=Scope.values)[1]
