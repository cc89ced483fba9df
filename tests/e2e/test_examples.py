"""The examples of the docs pages, run as people read them, in every language that is here."""

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
ONLY = {
    "verify": {"python", "javascript", "php", "ruby", "go"},
    "websocket": {"python", "javascript"},
}
"""Those that are not in all languages: curl verifies nothing, and not all have a WebSocket."""
NEEDS = {"curl": "curl", "python": sys.executable}
ALONE = {"verify"}
"""Functions, not requests: `tests/webhooks/test_docs.py` calls them, in every language."""


@dataclass
class Stage:
    """What an example finds: a workspace in which one conversation was held."""

    team: Team
    chatbot: Chatbot
    caller: Caller
    turn: Turn


@pytest.fixture
def stage(web: WebProcess, live_team: Team) -> Stage:
    grant_credits(live_team.workspace, 100)
    chatbot = make_chatbot(live_team.workspace, rate_limit_requests=100)
    caller = Caller(web, chatbot, make_api_key(live_team.workspace, list(Scope)))
    turn_id = caller.post("Well then").json()["data"]["turnId"]
    return Stage(live_team, chatbot, caller, Turn.objects.get(id=turn_id))


def run(stage: Stage, name: str, language: str, folder: Path) -> str:
    """What the example prints, with the stage's own address, ids and key."""
    reader = ExampleContext(stage.caller.web.url, stage.chatbot.id)
    (code,) = [each.code for each in snippets(name, reader) if each.language == language]
    code = code.replace("TURN_ID", stage.turn.id)
    code = code.replace("CONVERSATION_ID", stage.turn.conversation_id)
    file = folder / LANGUAGES[language][1]
    file.write_text(code)
    command = RUNS[language]
    if (name, language) == ("websocket", "javascript"):
        command = [*command, "--experimental-websocket"]  # which is no experiment from 22 on
        tried = subprocess.run([*command, "--eval", ""], capture_output=True, check=False)
        if tried.returncode:
            pytest.skip("needs Node 20.10 or newer")
    done = subprocess.run(
        [*command, str(file)],
        env={**os.environ, "PARLEY_API_KEY": stage.caller.key},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def answers(text: str) -> Callable[[Stage, str, str], None]:
    """The example prints the answer; curl the whole of it."""

    def check(stage: Stage, language: str, said: str) -> None:
        got = (
            json.loads(said)["data"]["response"] if language == "curl" else said.removesuffix("\n")
        )
        assert got == text

    return check


def shows(field: str, value: str) -> Callable[[Stage, str, str], None]:
    """The example prints one field of the answer's data; curl the whole of it."""

    def check(stage: Stage, language: str, said: str) -> None:
        got = str(json.loads(said)["data"][field]) if language == "curl" else said.strip()
        assert got == value

    return check


def streams(stage: Stage, language: str, said: str) -> None:
    if language == "curl":
        deltas = re.findall(r'"type":"message.delta","delta":"(.*?)"}', said)
        assert said.endswith("data: [DONE]\n\n")
        said = "".join(deltas)
    assert said == "Echo: Hello there"


def resumes(stage: Stage, language: str, said: str) -> None:
    """From the third frame on: the first word came in the second."""
    if language == "curl":
        assert said.startswith("id: 3\n")
        said = "".join(re.findall(r'"delta":"(.*?)"', said))
    assert said == " Well then"


def refuses(stage: Stage, language: str, said: str) -> None:
    sentence = "The request is not valid. See details."
    if language == "curl":
        assert re.search(r"^x-request-id: req_[0-9a-f]{24}$", said, re.MULTILINE | re.IGNORECASE)
        assert json.loads(said.partition("\n\n")[2])["error"] == sentence
    else:
        assert re.fullmatch(rf"VALIDATION_ERROR {sentence}\nreq_[0-9a-f]{{24}}\n", said)


def makes_a_lead(stage: Stage, language: str, said: str) -> None:
    lead = Lead.objects.get(workspace=stage.team.workspace)
    shows("id", lead.id)(stage, language, said)
    assert (lead.name, lead.email) == ("Ana Lima", "ana@example.com")


def makes_an_endpoint(stage: Stage, language: str, said: str) -> None:
    endpoint = Endpoint.objects.get(workspace=stage.team.workspace)
    assert endpoint.url == "https://hooks.example.com/parley"
    secret = json.loads(said)["data"]["secret"] if language == "curl" else said.strip()
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/=]+", secret)


def asks_for_an_export(stage: Stage, language: str, said: str) -> None:
    export = Export.objects.get(workspace=stage.team.workspace)
    shows("id", export.id)(stage, language, said)
    assert export.format == "csv"


def reads(stage: Stage, language: str, said: str) -> None:
    if language == "curl":
        lines = [f"{m['role']}: {m['text']}" for m in json.loads(said)["data"]["messages"]]
    else:
        lines = said.splitlines()
    assert lines == ["user: Well then", "assistant: Echo: Well then"]


def completes(stage: Stage, language: str, said: str) -> None:
    text = json.loads(said)["choices"][0]["message"]["content"] if language == "curl" else said
    assert text.strip() == "Echo: Hello there"


def goes_on(stage: Stage, language: str, said: str) -> None:
    answers("Echo: And then?")(stage, language, said)
    assert Turn.objects.filter(conversation=stage.turn.conversation_id).count() == 2


CHECKS: dict[str, Callable[[Stage, str, str], None]] = {
    "chat": answers("Echo: Hello there"),
    "completions": completes,
    "continue": goes_on,
    "credits": shows("balance", "100"),
    "errors": refuses,
    "export": asks_for_an_export,
    "idempotency": answers("Echo: Hello there"),
    "lead": makes_a_lead,
    "messages": reads,
    "rate-limit": answers("Echo: Hello there"),
    "receipt": shows("status", "completed"),
    "resume": resumes,
    "stop": shows("finishReason", "stop"),
    "stream": streams,
    "webhook": makes_an_endpoint,
    "websocket": streams,
}


def marked(language: str, *values: str) -> object:
    """A case, skipped where what runs the language is not on the machine."""
    program = NEEDS.get(language, RUNS[language][0])
    marks = [pytest.mark.skipif(shutil.which(program) is None, reason=f"needs {program}")]
    if language == "javascript":
        marks.append(pytest.mark.node)
    return pytest.param(*values, language, marks=marks)


LANGUAGES_HERE = [marked(language) for language in RUNS]
CASES = [
    marked(language, name)
    for name in CHECKS
    for language in RUNS
    if language in ONLY.get(name, RUNS)
]


@pytest.mark.parametrize(("name", "language"), CASES)
def test_example_does_what_its_page_says(
    stage: Stage, name: str, language: str, tmp_path: Path
) -> None:
    CHECKS[name](stage, language, run(stage, name, language, tmp_path))


@pytest.mark.parametrize("language", LANGUAGES_HERE)
def test_refused_example_comes_back_when_it_may(
    web: WebProcess, live_team: Team, language: str, tmp_path: Path
) -> None:
    chatbot = make_chatbot(live_team.workspace, rate_limit_requests=1, rate_limit_window_seconds=2)
    caller = Caller(web, chatbot, make_api_key(live_team.workspace))
    turn = Turn.objects.get(id=caller.post("First").json()["data"]["turnId"])
    said = run(Stage(live_team, chatbot, caller, turn), "rate-limit", language, tmp_path)
    answers("Echo: Hello there")(Stage(live_team, chatbot, caller, turn), language, said)


@pytest.mark.parametrize("language", LANGUAGES_HERE)
def test_idempotent_example_pays_once(stage: Stage, language: str, tmp_path: Path) -> None:
    first, second = (run(stage, "idempotency", language, tmp_path) for _ in range(2))
    assert first == second
    assert Turn.objects.filter(workspace=stage.team.workspace).count() == 2


def test_every_example_is_run() -> None:
    assert set(example_names()) == CHECKS.keys() | ALONE


def test_every_example_is_written_in_every_language() -> None:
    written = {
        name: {each.language for each in snippets(name, ExampleContext("https://parley.example"))}
        for name in example_names()
    }
    assert written == {name: ONLY.get(name, set(LANGUAGES)) for name in example_names()}
