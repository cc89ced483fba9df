"""Run the examples of docs/reference/clients.md, unchanged."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.factories import Team, make_api_key, make_chatbot
from tests.node_clients import requires_node, run_node
from tests.web_processes import ROOT, WebProcess


@pytest.fixture
def environment(web: WebProcess, live_team: Team) -> dict[str, str]:
    return {
        "PARLEY_URL": web.url,
        "PARLEY_API_KEY": make_api_key(live_team.workspace),
        "PARLEY_CHATBOT": make_chatbot(live_team.workspace).id,
    }


def example(language: str) -> str:
    text = (ROOT / "docs/reference/clients.md").read_text()
    (found,) = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return str(found)


def run_example(command: list[str], environment: dict[str, str]) -> str:
    process = subprocess.run(
        command,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_python_example(environment: dict[str, str]) -> None:
    output = run_example([sys.executable, "-c", example("python")], environment)
    assert output == "Echo: Hello there\nEcho: Hello there"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_example(environment: dict[str, str]) -> None:
    output = run_example(["sh", "-c", example("sh")], environment)
    assert '"response":"Echo: Hello there"' in output
    assert output.endswith("data: [DONE]\n\n")


@pytest.mark.node
@requires_node
def test_server_route_example(environment: dict[str, str], tmp_path: Path) -> None:
    module = tmp_path / "route.mjs"
    module.write_text(example("js"))
    question = {"role": "user", "parts": [{"type": "text", "text": "Hello"}]}
    answer = run_node(
        "call_route.mjs",
        module=str(module),
        environment=environment,
        body={"id": "chat", "messages": [question], "trigger": "submit-message"},
    )
    assert (answer["status"], answer["header"]) == (200, "v1")
    assert answer["text"].endswith("data: [DONE]\n\n")
