"""Turns of end users, and which conversations of a workspace are left."""

from __future__ import annotations

from typing import Any

from apps.chatbots.models import Chatbot
from apps.conversations.models import Turn
from apps.conversations.queries import conversations_for
from apps.workspaces.models import Workspace
from tests.turns.turn_factory import complete_turn, make_running_turn


def make_turn(chatbot: Chatbot, user_id: Any = None, **fields: Any) -> Turn:
    """A completed turn of an end user, identified by `metadata.userId`."""
    metadata = {"userId": user_id} if user_id is not None else None
    turn = make_running_turn(chatbot, credits=1, text="Hello", metadata=metadata, **fields)
    complete_turn(turn, "Hi")
    return turn


def conversation_ids(workspace: Workspace) -> set[str]:
    """The ids of the workspace's conversations that are not deleted."""
    return set(conversations_for(workspace.id).values_list("id", flat=True))
