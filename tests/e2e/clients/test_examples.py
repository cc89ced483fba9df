"""Run the examples of the docs pages in every installed language."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from apps.api_kit.callers import Scope
from apps.chatbots.models import Chatbot
from apps.conversations.models import Turn
from apps.conversations.models.export import Export
from apps.dashboard.docs.examples import LANGUAGES, ExampleContext, example_names, snippets
from apps.leads.models import Lead
from apps.webhooks.models import Endpoint
from tests.factories import Team, grant_credits, make_api_key, make_chatbot
from tests.web_processes import Caller, WebProcess

RUNS = {
    "curl": ["sh"],
    "python": [sys.executable],
    "javascript": ["node"],
    "php": ["php"],
    "ruby": ["ruby"],
    "go": ["go", "run"],
}
LANGUAGES_OF_EXAMPLE = {
    "verify": {"python", "javascript", "php", "ruby", "go"},
    "websocket": {"python", "javascript"},
}
"""The examples that do not exist in all languages."""
PROGRAMS = {"curl": "curl", "python": sys.executable}
FUNCTIONS = {"verify"}
"""Examples that are functions: `tests/webhooks/test_docs.py` calls them in every language."""


@dataclass
class ExampleWorkspace:
    """A workspace with a chatbot and one turn, which the examples refer to."""

    team: Team
    chatbot: Chatbot
    caller: Caller
    turn: Turn


@pytest.fixture
def workspace(web: WebProcess, live_team: Team) -> ExampleWorkspace:
    grant_credits(live_team.workspace, 100)
    chatbot = make_chatbot(live_team.workspace, rate_limit_requests=100)
    caller = Caller(web, chatbot, make_api_key(live_team.workspace, list(Scope)))
    turn_id = caller.post("Well then").json()["data"]["turnId"]
    return ExampleWorkspace(live_team, chatbot, caller, Turn.objects.get(id=turn_id))


def run(workspace: ExampleWorkspace, name: str, language: str, folder: Path) -> str:
    """Run the example with the workspace's ids and key, and return its output."""
    context = ExampleContext(workspace.caller.web.url, workspace.chatbot.id)
    (code,) = [each.code for each in snippets(name, context) if each.language == language]
    code = code.replace("TURN_ID", workspace.turn.id)
    code = code.replace("CONVERSATION_ID", workspace.turn.conversation_id)
    file = folder / LANGUAGES[language][1]
    file.write_text(code)
    command = RUNS[language]
    if (name, language) == ("websocket", "javascript"):
        command = [*command, "--experimental-websocket"]  # stable since Node 22
        check = subprocess.run([*command, "--eval", ""], capture_output=True, check=False)
        if check.returncode:
            pytest.skip("needs Node 20.10 or newer")
    process = subprocess.run(
        [*command, str(file)],
        env={**os.environ, "PARLEY_API_KEY": workspace.caller.key},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


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


def example_case(language: str, *values: str) -> object:
    """A test case that is skipped if the program for the language is not installed."""
    program = PROGRAMS.get(language, RUNS[language][0])
    marks = [pytest.mark.skipif(shutil.which(program) is None, reason=f"needs {program}")]
    if language == "javascript":
        marks.append(pytest.mark.node)
    return pytest.param(*values, language, marks=marks)


EACH_LANGUAGE = [example_case(language) for language in RUNS]
CASES = [
    example_case(language, name)
    for name in CHECKS
    for language in RUNS
    if language in LANGUAGES_OF_EXAMPLE.get(name, RUNS)
]


@pytest.mark.parametrize(("name", "language"), CASES)
def test_example_does_what_its_page_says(
    workspace: ExampleWorkspace, name: str, language: str, tmp_path: Path
) -> None:
    CHECKS[name](workspace, language, run(workspace, name, language, tmp_path))


@pytest.mark.parametrize("language", EACH_LANGUAGE)
def test_rate_limited_example_retries(
    web: WebProcess, live_team: Team, language: str, tmp_path: Path
) -> None:
    chatbot = make_chatbot(live_team.workspace, rate_limit_requests=1, rate_limit_window_seconds=2)
    caller = Caller(web, chatbot, make_api_key(live_team.workspace))
    turn = Turn.objects.get(id=caller.post("First").json()["data"]["turnId"])
    output = run(
        ExampleWorkspace(live_team, chatbot, caller, turn), "rate-limit", language, tmp_path
    )
    prints_answer("Echo: Hello there")(
        ExampleWorkspace(live_team, chatbot, caller, turn), language, output
    )


@pytest.mark.parametrize("language", EACH_LANGUAGE)
def test_idempotent_example_is_charged_once(
    workspace: ExampleWorkspace, language: str, tmp_path: Path
) -> None:
    first, second = (run(workspace, "idempotency", language, tmp_path) for _ in range(2))
    assert first == second
    assert Turn.objects.filter(workspace=workspace.team.workspace).count() == 2


def test_every_example_is_tested() -> None:
    assert set(example_names()) == CHECKS.keys() | FUNCTIONS


def test_every_example_exists_in_every_language() -> None:
    written = {
        name: {each.language for each in snippets(name, ExampleContext("https://parley.example"))}
        for name in example_names()
    }
    assert written == {
        name: LANGUAGES_OF_EXAMPLE.get(name, set(LANGUAGES)) for name in example_names()
    }
