"""Run the documented examples of signature verification in each language.

Each function of `LANGUAGES` takes a temporary folder and returns `verify(secret, headers, body)`,
which returns `{"event": …}` or `{"error": message}`.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.node_clients import requires_node, run_node
from tests.web_processes import ROOT

HERE = Path(__file__).resolve().parent
Verify = Callable[[str, dict[str, str], str], Any]


def example(file: str) -> str:
    return (ROOT / "docs/examples/verify" / file).read_text()


def in_python(folder: Path) -> Verify:
    names: dict[str, Any] = {}
    exec(example("python.py"), names)  # noqa: S102

    def verify(secret: str, headers: dict[str, str], body: str) -> Any:
        try:
            return {"event": names["verify"](secret, headers, body.encode())}
        except ValueError as error:
            return {"error": str(error)}

    return verify


def in_node(folder: Path) -> Verify:
    module = folder / "verify.mjs"
    module.write_text(example("javascript.mjs"))

    def verify(secret: str, headers: dict[str, str], body: str) -> Any:
        given = {"secret": secret, "headers": headers, "body": body}
        return run_node("verify_webhook.mjs", module=str(module), **given)

    return verify


def in_php(folder: Path) -> Verify:
    return _script(["php", str(HERE / "receive.php")], folder / "verify.php", "php.php")


def in_ruby(folder: Path) -> Verify:
    return _script(["ruby", str(HERE / "receive.rb")], folder / "verify.rb", "ruby.rb")


def in_go(folder: Path) -> Verify:
    """A program with the example as its package `parley`."""
    package = folder / "parley"
    package.mkdir()
    (package / "verify.go").write_text(example("go.go"))
    (folder / "go.mod").write_text("module receiver\n\ngo 1.19\n")
    shutil.copy(HERE / "receive.go", folder / "main.go")
    _run(["go", "build", "-o", "receive", "."], "", folder)

    def verify(secret: str, headers: dict[str, str], body: str) -> Any:
        given = {"secret": secret, "headers": headers, "body": body}
        result = json.loads(_run([str(folder / "receive")], json.dumps(given), folder))
        # In Go, error texts begin in lower case and have no full stop.
        return {name: f"{t.capitalize()}." if name == "error" else t for name, t in result.items()}

    return verify


def _script(command: list[str], module: Path, file: str) -> Verify:
    module.write_text(example(file))

    def verify(secret: str, headers: dict[str, str], body: str) -> Any:
        given = {"module": str(module), "secret": secret, "headers": headers, "body": body}
        return json.loads(_run(command, json.dumps(given), module.parent))

    return verify


def _run(command: list[str], given: str, folder: Path) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        input=given,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _where(program: str, language: Callable[[Path], Verify]) -> Any:
    is_absent = shutil.which(program) is None
    mark = pytest.mark.skipif(is_absent, reason=f"needs {program}")
    return pytest.param(language, marks=[mark])


LANGUAGES = [
    in_python,
    pytest.param(in_node, marks=[pytest.mark.node, requires_node]),
    _where("php", in_php),
    _where("ruby", in_ruby),
    _where("go", in_go),
]
