"""The examples of the docs: `docs/examples/NAME/`, one file for each language.

They are whole programs that run as they stand, once the address, the ids and the key are the
reader's. The key is never written into one: each reads it from PARLEY_API_KEY.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

from apps.dashboard.docs.rendering import DOCS_DIR

LANGUAGES: Mapping[str, tuple[str, str]] = {
    "curl": ("curl", "curl.sh"),
    "python": ("Python", "python.py"),
    "javascript": ("JavaScript", "javascript.mjs"),
    "php": ("PHP", "php.php"),
    "ruby": ("Ruby", "ruby.rb"),
    "go": ("Go", "go.go"),
}
"""What a language is called in addresses: its name for people, and its file."""

PLACEHOLDER_HOST = "parley.example"
PLACEHOLDER_CHATBOT_ID = "CHATBOT_ID"


@dataclass(frozen=True, slots=True)
class Snippet:
    """An example in one language."""

    language: str
    label: str
    code: str


@dataclass(frozen=True, slots=True)
class ExampleContext:
    """For whom examples are filled in: where Parley is, and one of their chatbots if they have
    any."""

    origin: str
    chatbot_id: str | None = None


def example_names() -> list[str]:
    """The names of all examples."""
    return sorted(path.name for path in (DOCS_DIR / "examples").iterdir() if path.is_dir())


def snippets(name: str, reader: ExampleContext) -> list[Snippet]:
    """An example in each language that it is written in, with the reader's own address and id."""
    return [
        Snippet(language, LANGUAGES[language][0], _fill_in(code, reader))
        for language, code in _read_example(name).items()
    ]


def _fill_in(code: str, reader: ExampleContext) -> str:
    for scheme in ("http", "ws"):  # ws stands for http as wss does for https
        origin = f"{scheme}{reader.origin.removeprefix('http')}"
        code = code.replace(f"{scheme}s://{PLACEHOLDER_HOST}", origin)
    return code.replace(PLACEHOLDER_CHATBOT_ID, reader.chatbot_id or PLACEHOLDER_CHATBOT_ID)


@functools.cache
def _read_example(name: str) -> Mapping[str, str]:
    folder = DOCS_DIR / "examples" / name
    paths = {language: folder / file for language, (_, file) in LANGUAGES.items()}
    return {language: path.read_text() for language, path in paths.items() if path.exists()}
