"""Add rows to the lists of a workspace's pages, with the product's services."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta

from django.db.models.functions import Now

from apps.api_kit.refusal_log import RefusedRequest, log_refused_request
from apps.chatbots.models import Chatbot
from apps.chatbots.services import update_chatbot
from apps.conversations.exports.services import ExportFilters
from apps.conversations.models import Knowledge, Turn
from apps.conversations.models.export import Export
from apps.core.ids import new_id, new_request_id
from apps.credits.credit_requests import request_credits, withdraw_request
from apps.credits.models import CreditRequest
from apps.knowledge.models import Source
from apps.webhooks.errors import TooManyEndpoints
from apps.webhooks.models import Endpoint, EventType
from apps.webhooks.services import send_test
from apps.workspaces.models import Invitation, Role
from apps.workspaces.services import invite, request_erasure
from tests.conversations.citation_factory import make_citation, make_unanswered_turn
from tests.factories import (
    Team,
    grant_credits,
    make_api_key,
    make_chatbot,
    make_language_model,
    make_webhook_endpoint,
    make_workspace,
)
from tests.knowledge.knowledge_rows import add_knowledge_rows
from tests.leads.lead_factory import make_lead
from tests.turns.turn_factory import complete_turn, make_running_turn
from tests.workspaces.members import actor_for, add_new_member

QUESTION, ANSWER = "Where is my order? " * 8, "On its way. " * 20


def add_rows(team: Team, rows: int) -> None:
    """Add rows to the main lists: keys, chatbots, conversations and leads."""
    grant_credits(team.workspace, 1000)
    chatbot = make_chatbot(team.workspace, make_language_model(credits_per_reply=1))
    for _ in range(rows):
        number = new_id()
        make_api_key(team.workspace)
        make_chatbot(team.workspace, chatbot.language_model, name=f"Support in language {number}")
        complete_turn(make_running_turn(chatbot, credits=1, text=QUESTION), ANSWER)
        make_lead(chatbot, name=f"Ana Lima {number}", email=f"ana-{number}@example.com")


def add_rows_to_every_list(team: Team, values: Mapping[str, str], rows: int) -> None:
    """Add rows to every list, also below the chatbot, conversation and endpoint in `values`."""
    add_rows(team, rows)
    add_knowledge_rows(Source.objects.get(id=values["source_id"]), rows)
    turn = Turn.objects.get(id=values["turn_id"])
    if turn.status == "running":
        complete_turn(turn)
    for _ in range(rows):
        exchange = make_running_turn(
            turn.chatbot, conversation_id=turn.conversation_id, text=QUESTION
        )
        complete_turn(exchange, ANSWER)
        Turn.objects.filter(id=exchange.id).update(knowledge=Knowledge.FOUND)
        make_citation(exchange)
        make_unanswered_turn(turn.chatbot, text=f"Is there a {new_id()}?")
        send_test(endpoint=Endpoint.objects.get(id=values["endpoint_id"]))
        refused = RefusedRequest(
            new_request_id(), time.time(), "POST", "/api/v1", 403, "SCOPE_MISSING"
        )
        log_refused_request(team.workspace.id, refused)
        _add_one_of_each(team, turn.chatbot)


def _add_one_of_each(team: Team, chatbot: Chatbot) -> None:
    """Add a version, an endpoint, an export and so on, each by a new member."""
    workspace, number, member = (
        team.workspace,
        new_id(),
        add_new_member(team.workspace, Role.ADMIN),
    )
    actor = actor_for(member)
    update_chatbot(chatbot=chatbot, actor=actor, changes={"system_prompt": number})
    with suppress(TooManyEndpoints):  # at most 20
        make_webhook_endpoint(workspace, EventType.API_KEY_REVOKED)
    # Without the service, which allows three unfinished exports.
    filters = ExportFilters(chatbot_id=make_chatbot(workspace, chatbot.language_model).id).to_json()
    Export.objects.create(workspace=workspace, format="csv", asked_by=number, filters=filters)
    invite(
        workspace=workspace,
        email=f"{number}@example.com",
        role=Role.VIEWER,
        by=member,
        actor=actor,
    )
    # Only 30 invitations an hour may be sent.
    Invitation.objects.filter(workspace=workspace).update(created_at=Now() - timedelta(days=2))
    request_erasure(workspace=workspace, user_id=number, actor=actor, by=member.user)
    # Only one credit request can be open.
    last = CreditRequest.objects.get(workspace=workspace, state="open")
    withdraw_request(workspace_id=workspace.id, request_id=last.id, actor=actor)
    request_credits(
        workspace_id=workspace.id, credits=5, note=number, user=member.user, actor=actor
    )
    make_workspace(team.alice)
