"""The examples of the docs: `docs/examples/NAME/` with one file per language.

Each is a complete program. The host and the chatbot id are filled in for the context; the key is
never part of it, programs read it from PARLEY_API_KEY.
"""

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
"""Each language's key in cookies and element ids, with its label and file name."""

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
    """The values filled into examples: this server's origin, and one of the context's chatbots."""

    origin: str
    chatbot_id: str | None = None


def example_names() -> list[str]:
    """The names of all examples."""
    return sorted(path.name for path in (DOCS_DIR / "examples").iterdir() if path.is_dir())


def snippets(name: str, context: ExampleContext) -> list[Snippet]:
    """The example in each of its languages, filled in."""
    return [
        Snippet(language, LANGUAGES[language][0], _fill_in(code, context))
        for language, code in _read_example(name).items()
    ]


def _fill_in(code: str, context: ExampleContext) -> str:
    for scheme in ("http", "ws"):  # ws stands for http as wss does for https
        origin = f"{scheme}{context.origin.removeprefix('http')}"
        code = code.replace(f"{scheme}s://{PLACEHOLDER_HOST}", origin)
    return code.replace(PLACEHOLDER_CHATBOT_ID, context.chatbot_id or PLACEHOLDER_CHATBOT_ID)


@functools.cache
def _read_example(name: str) -> Mapping[str, str]:
    folder = DOCS_DIR / "examples" / name
    paths = {language: folder / file for language, (_, file) in LANGUAGES.items()}
    return {language: path.read_text() for language, path in paths.items() if path.exists()}
