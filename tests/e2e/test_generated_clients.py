"""Clients generated from the document: Python that calls, TypeScript that compiles."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import cast

import httpx
import pytest

from apps.chatbots.models import Chatbot
from apps.credits.queries import balance_for
from tests import node_clients
from tests.factories import Team, grant_credits, make_api_key
from tests.web_processes import WebProcess, make_caller

CLIENT = "parley_generated"


@pytest.fixture(scope="module")
def document(
    web_pair: tuple[WebProcess, WebProcess], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The document as the server sends it."""
    path = tmp_path_factory.mktemp("document") / "openapi.json"
    path.write_bytes(httpx.get(f"{web_pair[0].url}/api/v1/openapi.json").content)
    return path


@pytest.fixture(scope="module")
def generated(document: Path) -> ModuleType:
    """The Python client, made by openapi-python-client and imported."""
    config = document.with_name("config.json")
    config.write_text(json.dumps({"post_hooks": []}))
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"]
    command += ["--path", str(document), "--config", str(config), "--fail-on-warning"]
    command += ["--output-path", str(document.with_name(CLIENT))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(document.parent))
    try:
        return importlib.import_module(CLIENT)
    finally:
        sys.path.remove(str(document.parent))


def test_python_client_chats_and_reads_credits(
    generated: ModuleType, web: WebProcess, live_team: Team
) -> None:
    grant_credits(live_team.workspace, 7)
    caller = make_caller(web, live_team.workspace)
    chat = importlib.import_module(f"{CLIENT}.api.chat.chat")
    credits = importlib.import_module(f"{CLIENT}.api.credits_.get_credits")
    models = importlib.import_module(f"{CLIENT}.models")
    with generated.AuthenticatedClient(web.url, caller.key) as client:
        request = models.ChatRequest(message="Hello there", stream=False)
        answer = chat.sync(cast(Chatbot, caller.chatbot).id, client=client, body=request)
        refused = chat.sync("c" + "0" * 24, client=client, body=request)
    assert (answer.data.finish_reason, answer.data.credits_.balance) == ("stop", 7)
    assert (type(refused).__name__, refused.code) == (
        "ChatbotNotFoundError",
        "CHATBOT_NOT_FOUND",
    )
    with generated.AuthenticatedClient(
        web.url, make_api_key(live_team.workspace, ["read"])
    ) as client:
        found = credits.sync(client=client)
    assert found.data.balance == balance_for(live_team.workspace.id).balance


@pytest.mark.node
@node_clients.requires_node
def test_typescript_client_compiles(document: Path, tmp_path: Path) -> None:
    node_clients.install_packages()
    types = tmp_path / "generated" / "parley.d.ts"
    _node("openapi-typescript", str(document), "-o", str(types))
    program = tmp_path / "client.ts"
    program.write_text((node_clients.FOLDER / "document_client.ts").read_text())
    (tmp_path / "node_modules").symlink_to(node_clients.FOLDER / "node_modules")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    options = "--noEmit --strict --skipLibCheck --module nodenext --target es2022"
    _node("tsc", *options.split(), str(program))


def _node(program: str, *arguments: str) -> None:
    command = [str(node_clients.FOLDER / "node_modules" / ".bin" / program), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
