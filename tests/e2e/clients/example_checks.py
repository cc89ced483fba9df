"""What the examples of the docs print and do."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from apps.chatbots.models import Chatbot
from apps.conversations.models import Turn
from apps.conversations.models.export import Export
from apps.knowledge.models import ChatbotKnowledgeBase, KnowledgeBase, Source
from apps.leads.models import Lead
from apps.webhooks.models import Endpoint
from tests.factories import Team
from tests.web_processes import Caller


@dataclass
class ExampleWorkspace:
    """A workspace with a chatbot and one turn, which the examples refer to."""

    team: Team
    chatbot: Chatbot
    caller: Caller
    turn: Turn


def prints_answer(text: str) -> Callable[[ExampleWorkspace, str, str], None]:
    """The example prints the answer; curl prints the complete response."""

    def check(workspace: ExampleWorkspace, language: str, output: str) -> None:
        printed = (
            json.loads(output)["data"]["response"]
            if language == "curl"
            else output.removesuffix("\n")
        )
        assert printed == text

    return check


def prints_field(field: str, value: str) -> Callable[[ExampleWorkspace, str, str], None]:
    """The example prints one field of the response; curl prints the complete response."""

    def check(workspace: ExampleWorkspace, language: str, output: str) -> None:
        printed = str(json.loads(output)["data"][field]) if language == "curl" else output.strip()
        assert printed == value

    return check


def prints_stream(workspace: ExampleWorkspace, language: str, output: str) -> None:
    if language == "curl":
        deltas = re.findall(r'"type":"message.delta","delta":"(.*?)"}', output)
        assert output.endswith("data: [DONE]\n\n")
        output = "".join(deltas)
    assert output == "Echo: Hello there"


def prints_resumed_stream(workspace: ExampleWorkspace, language: str, output: str) -> None:
    """The stream resumes at the third frame; the first word was in the second."""
    if language == "curl":
        assert output.startswith("id: 3\n")
        output = "".join(re.findall(r'"delta":"(.*?)"', output))
    assert output == " Well then"


def prints_error(workspace: ExampleWorkspace, language: str, output: str) -> None:
    message = "The request is not valid. See details."
    if language == "curl":
        assert re.search(r"^x-request-id: req_[0-9a-f]{24}$", output, re.MULTILINE | re.IGNORECASE)
        assert json.loads(output.partition("\n\n")[2])["error"] == message
    else:
        assert re.fullmatch(rf"VALIDATION_ERROR {message}\nreq_[0-9a-f]{{24}}\n", output)


def creates_lead(workspace: ExampleWorkspace, language: str, output: str) -> None:
    lead = Lead.objects.get(workspace=workspace.team.workspace)
    prints_field("id", lead.id)(workspace, language, output)
    assert (lead.name, lead.email) == ("Ana Lima", "ana@example.com")


def creates_endpoint(workspace: ExampleWorkspace, language: str, output: str) -> None:
    endpoint = Endpoint.objects.get(workspace=workspace.team.workspace)
    assert endpoint.url == "https://hooks.example.com/parley"
    secret = json.loads(output)["data"]["secret"] if language == "curl" else output.strip()
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/=]+", secret)


def creates_export(workspace: ExampleWorkspace, language: str, output: str) -> None:
    export = Export.objects.get(workspace=workspace.team.workspace)
    prints_field("id", export.id)(workspace, language, output)
    assert export.format == "csv"


def creates_knowledge_base(workspace: ExampleWorkspace, language: str, output: str) -> None:
    base = KnowledgeBase.objects.get(workspace=workspace.team.workspace)
    prints_field("id", base.id)(workspace, language, output)
    assert base.name == "Help center"


def uploads_file(workspace: ExampleWorkspace, language: str, output: str) -> None:
    uploaded = Source.objects.get(workspace=workspace.team.workspace, title="faq.md")
    Source.objects.filter(id=uploaded.id).update(due_at=None)
    prints_field("id", uploaded.id)(workspace, language, output)
    assert bytes(uploaded.file.body) == b"# Shipping\n\nWe ship on Mondays."


def attaches_knowledge_base(workspace: ExampleWorkspace, language: str, output: str) -> None:
    attached = ChatbotKnowledgeBase.objects.get(chatbot_id=workspace.chatbot.id)
    assert attached.knowledge_base.workspace_id == workspace.team.workspace.id
    prints_each("knowledgeBases", "name", attached.knowledge_base.name)(language, output)


def finds_passage(workspace: ExampleWorkspace, language: str, output: str) -> None:
    prints_each("results", "text", "We ship on Mondays.")(language, output)


def prints_each(rows: str, field: str, *values: str) -> Callable[[str, str], None]:
    """The example prints a field of each row; curl prints the complete response."""

    def check(language: str, output: str) -> None:
        found = output.splitlines()
        if language == "curl":
            found = [row[field] for row in json.loads(output)["data"][rows]]
        assert found == list(values)

    return check


def prints_messages(workspace: ExampleWorkspace, language: str, output: str) -> None:
    if language == "curl":
        lines = [f"{m['role']}: {m['text']}" for m in json.loads(output)["data"]["messages"]]
    else:
        lines = output.splitlines()
    assert lines == ["user: Well then", "assistant: Echo: Well then"]


def prints_completion(workspace: ExampleWorkspace, language: str, output: str) -> None:
    text = json.loads(output)["choices"][0]["message"]["content"] if language == "curl" else output
    assert text.strip() == "Echo: Hello there"


def continues_conversation(workspace: ExampleWorkspace, language: str, output: str) -> None:
    prints_answer("Echo: And then?")(workspace, language, output)
    assert Turn.objects.filter(conversation=workspace.turn.conversation_id).count() == 2


CHECKS: dict[str, Callable[[ExampleWorkspace, str, str], None]] = {
    "chat": prints_answer("Echo: Hello there"),
    "completions": prints_completion,
    "continue": continues_conversation,
    "credits": prints_field("balance", "100"),
    "errors": prints_error,
    "export": creates_export,
    "idempotency": prints_answer("Echo: Hello there"),
    "knowledge-attach": attaches_knowledge_base,
    "knowledge-base": creates_knowledge_base,
    "knowledge-file": uploads_file,
    "knowledge-search": finds_passage,
    "lead": creates_lead,
    "messages": prints_messages,
    "rate-limit": prints_answer("Echo: Hello there"),
    "receipt": prints_field("status", "completed"),
    "resume": prints_resumed_stream,
    "stop": prints_field("finishReason", "stop"),
    "stream": prints_stream,
    "webhook": creates_endpoint,
    "websocket": prints_stream,
}
