"""Leads of real chats: sent with a request over every protocol, or detected by the worker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from apps.conversations.models import Message
from apps.leads.models import CapturedField, Lead
from tests.chat_sockets import open_socket
from tests.e2e.database_state import credit_state, turn_statuses, wait_until
from tests.factories import Team, make_language_model
from tests.fault_injection import reject_inserts
from tests.web_processes import SSL_CONTEXT, Caller, WebProcess, make_caller, start_worker

LEAD = {"name": "Ana", "email": "ANA@example.com", "phone": "+44 20 7946 0958"}


def over_json(caller: Caller, metadata: dict[str, Any]) -> None:
    assert caller.post(metadata=metadata).status_code == 200


def over_sse(caller: Caller, metadata: dict[str, Any]) -> None:
    assert caller.frames(metadata=metadata)[-1] == "[DONE]"


def over_ai_sdk(caller: Caller, metadata: dict[str, Any]) -> None:
    message = {"role": "user", "parts": [{"type": "text", "text": "Hello there"}]}
    response = httpx.post(
        f"{caller.url}?protocol=ai-sdk",
        json={"messages": [message], "metadata": metadata},
        headers=caller.all_headers,
        verify=SSL_CONTEXT,
    )
    assert response.status_code == 200


def over_openai(caller: Caller, metadata: dict[str, Any]) -> None:
    assert not isinstance(caller.chatbot, str)
    body = {
        "model": caller.chatbot.id,
        "messages": [{"role": "user", "content": "Hello there"}],
        "metadata": metadata,
    }
    url = f"{caller.web.url}/api/v1/openai/chat/completions"
    response = httpx.post(url, json=body, headers=caller.all_headers, verify=SSL_CONTEXT)
    assert response.status_code == 200


def over_socket(caller: Caller, metadata: dict[str, Any]) -> None:
    with open_socket(caller) as socket:
        socket.start_turn("Hello there", metadata=metadata)
        assert socket.receive_turn()[-1]["type"] == "message.end"


@pytest.mark.parametrize("send", [over_json, over_sse, over_ai_sdk, over_openai, over_socket])
def test_sent_lead_is_saved_with_the_answer(
    web: WebProcess, live_team: Team, send: Callable[[Caller, dict[str, Any]], None]
) -> None:
    send(make_caller(web, live_team.workspace), {"source": "app", "lead": LEAD})
    lead = Lead.objects.get(workspace=live_team.workspace)
    assert (lead.name, lead.email, lead.phone) == ("Ana", "ana@example.com", "+442079460958")
    message = Message.objects.get(workspace=live_team.workspace, role="user")
    assert lead.conversation_id == message.conversation_id
    cited = CapturedField.objects.filter(lead=lead, message=message)
    assert sorted(cited.values_list("field", flat=True)) == ["email", "name", "phone"]


def test_invalid_lead_is_rejected_without_charge(web: WebProcess, live_team: Team) -> None:
    priced = make_language_model(credits_per_reply=2)
    caller = make_caller(web, live_team.workspace, priced, credits=10)
    response = caller.post(metadata={"lead": {"email": "nobody"}})
    assert (response.status_code, list(response.json()["details"])) == (
        400,
        ["metadata.lead.email"],
    )
    assert (credit_state(live_team.workspace), turn_statuses(live_team.workspace)) == (
        (10, 0, []),
        [],
    )


def test_retried_chat_saves_its_lead_once(web: WebProcess, live_team: Team) -> None:
    caller = make_caller(web, live_team.workspace)
    caller.headers["Idempotency-Key"] = "one"
    over_json(caller, {"lead": LEAD})
    Lead.objects.filter(workspace=live_team.workspace).update(name="Corrected by a member")
    over_json(caller, {"lead": LEAD})
    assert Lead.objects.get(workspace=live_team.workspace).name == "Corrected by a member"


def test_chat_completes_if_its_lead_cannot_be_saved(web: WebProcess, live_team: Team) -> None:
    with reject_inserts("leads_lead", live_team.workspace):
        over_json(make_caller(web, live_team.workspace), {"lead": LEAD})
    assert turn_statuses(live_team.workspace) == ["completed"]
    assert Lead.objects.filter(workspace=live_team.workspace).count() == 0


def test_worker_detects_contact_details_in_messages(
    web: WebProcess, live_team: Team, tmp_path: Path
) -> None:
    detecting = make_caller(web, live_team.workspace, lead_capture="detect")
    other = make_caller(web, live_team.workspace)
    for caller in (other, detecting):
        caller.post("My name is Ana Silva, write to ana@example.com")
    with start_worker(tmp_path):
        wait_until(lambda: Lead.objects.filter(workspace=live_team.workspace).exists())
    lead = Lead.objects.get(workspace=live_team.workspace)
    assert (lead.chatbot, lead.name, lead.email) == (
        detecting.chatbot,
        "Ana Silva",
        "ana@example.com",
    )
