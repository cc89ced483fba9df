from __future__ import annotations

import json
from io import StringIO

from django.core.management import call_command

from apps.chatbots.models import Chatbot
from apps.conversations.models import Conversation
from apps.workspaces.models import Workspace
from tests.factories import Team, make_chatbot
from tests.turns.turn_factory import make_running_turn


def repair() -> dict[str, dict[str, int]]:
    output = StringIO()
    call_command("repair_names", "--json", stdout=output)
    found: dict[str, dict[str, int]] = json.loads(output.getvalue())
    return found


def test_blank_and_reversed_names_are_repaired(team: Team) -> None:
    blank, legible = make_chatbot(team.workspace), make_chatbot(team.workspace, name="山田 ⚡")
    Chatbot.objects.filter(id=blank.id).update(name="\u200b\u3164")
    Workspace.objects.filter(id=team.workspace.id).update(name="\u202egnp.exe")
    turn = make_running_turn(blank)
    conversation = Conversation.objects.filter(id=turn.conversation_id)
    conversation.update(title="\u2800")
    # Other tests may have left such names, too.
    assert repair()["chatbots.Chatbot.name"]["changed"] >= 1
    for row, name in ((blank, "Unnamed"), (legible, "山田 ⚡")):
        row.refresh_from_db()
        assert row.name == name
    assert Workspace.objects.get(id=team.workspace.id).name == "gnp.exe"
    assert conversation.get().title == ""
