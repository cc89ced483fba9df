"""Run the examples of the docs pages in every installed language."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from apps.api_kit.callers import Scope
from apps.conversations.models import Turn
from apps.dashboard.docs.examples import LANGUAGES, ExampleContext, example_names, snippets
from tests.e2e.clients.example_checks import CHECKS, ExampleWorkspace, prints_answer
from tests.factories import Team, grant_credits, make_api_key, make_chatbot
from tests.knowledge.knowledge_factory import make_knowledge
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
    if "KNOWLEDGE_BASE_ID" in code:
        other = make_chatbot(workspace.team.workspace)
        source = make_knowledge(other, text="We ship on Mondays.")
        code = code.replace("KNOWLEDGE_BASE_ID", source.knowledge_base_id)
    (folder / "faq.md").write_text("# Shipping\n\nWe ship on Mondays.")
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
        cwd=folder,
        env={**os.environ, "PARLEY_API_KEY": workspace.caller.key},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


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
