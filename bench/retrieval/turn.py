"""What a search adds to the time to the first token of a turn, and where it goes.

The same questions go to a chatbot with a knowledge base and to one without, alternately and one at
a time. Each is asked once, so none is remembered. The parts are measured in this process.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvloop

from apps.audit.services import SYSTEM
from apps.chat.engine.knowledge.passages import with_passages
from apps.chatbots.models import Chatbot, EmbeddingModel
from apps.conversations.models import Turn
from apps.knowledge.embedding import embed_query
from apps.knowledge.models import KnowledgeBase
from apps.knowledge.search.results import Passage
from apps.knowledge.search.services import search, search_in_turn
from apps.knowledge.services.attachments import set_chatbot_knowledge_bases
from apps.llm.types import ChatMessage
from bench.load import Target, time_first_tokens
from bench.processes import run_web_server
from bench.retrieval.bases import analyze, make_base
from bench.retrieval.questions import QuestionSet
from bench.retrieval.vectors import VectorCache
from bench.servers import run_fake_model
from bench.tenants import create_tenant

TURNS = 60
MAX_ADDED_MS = 40.0


@dataclass(frozen=True, slots=True)
class TurnTimes:
    """Medians in milliseconds. `retrieval`: as the turn tells it, embedding and search together."""

    without: float
    with_knowledge: float
    retrieval: float
    embedding: float
    searching: float
    prompt: float

    @property
    def added(self) -> float:
        """To the time to the first token."""
        return self.with_knowledge - self.without


def measure_turn(model: EmbeddingModel, questions: QuestionSet, cache: VectorCache) -> bool:
    """Measure and print. Returns whether the target is met."""
    with tempfile.TemporaryDirectory() as name, run_fake_model(Path(name)) as api_base:
        tenant = create_tenant()
        vectors = cache.passages(questions.passages)
        base, _ = make_base(tenant.workspace, model, questions.passages, vectors)
        analyze()
        chatbots = [tenant.create_chatbot("openai/brief", api_base=api_base) for _ in range(2)]
        set_chatbot_knowledge_bases(chatbot=chatbots[1], base_ids=[base.id], actor=SYSTEM)
        texts = [question.text for question in questions.questions]
        texts = [f"{texts[n % len(texts)]} ({n})" for n in range(2 * TURNS)]
        with run_web_server(Path(name), settings_module="config.settings.local") as web:
            targets = [
                Target(
                    f"{web.url}/api/v1/chatbots/{chatbot.id}/chat",
                    {"message": text, "stream": True},
                    tenant.headers,
                )
                for text in texts[:TURNS]
                for chatbot in chatbots
            ]
            uvloop.run(time_first_tokens(targets[:2], times=5, pause=0))
            taken = [one for (one,) in uvloop.run(time_first_tokens(targets, times=1, pause=0))]
        turns = Turn.objects.filter(chatbot=chatbots[1])
        told = [each for each in turns.values_list("retrieval_ms", flat=True) if each is not None]
        times = TurnTimes(
            without=statistics.median(taken[::2]),
            with_knowledge=statistics.median(taken[1::2]),
            retrieval=statistics.median(told),
            **_parts(base, chatbots[1], texts[TURNS:]),
        )
    _print(times)
    return times.added <= MAX_ADDED_MS


def _parts(base: KnowledgeBase, chatbot: Chatbot, texts: Sequence[str]) -> dict[str, float]:
    """The medians of the embedding, of a search with a remembered vector, and of the prompt."""
    base = KnowledgeBase.objects.select_related("embedding_model").get(id=base.id)

    async def embed_and_search() -> tuple[list[float], list[float]]:
        embedding, searching = [], []
        for text in texts:
            start = time.perf_counter()
            await embed_query(base.embedding_model, text)
            middle = time.perf_counter()
            await search_in_turn([base], text, max_passages=5, max_tokens=1500)
            embedding.append((middle - start) * 1000)
            searching.append((time.perf_counter() - middle) * 1000)
        return embedding, searching

    embedding, searching = asyncio.run(embed_and_search())
    passages = search([base], texts[0], max_passages=5, max_tokens=1500).passages
    return {
        "embedding": statistics.median(embedding),
        "searching": statistics.median(searching),
        "prompt": _median_ms(lambda: _prompt(chatbot, texts[0], passages)),
    }


def _prompt(chatbot: Chatbot, text: str, passages: Sequence[Passage]) -> object:
    return with_passages([ChatMessage("user", text)], passages, chatbot)


def _median_ms(call: Callable[[], object]) -> float:
    taken = []
    for _ in range(TURNS):
        start = time.perf_counter()
        call()
        taken.append((time.perf_counter() - start) * 1000)
    return statistics.median(taken)


def _print(times: TurnTimes) -> None:
    print(f"\nload {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"{'ms to the first token, p50':<40}{'without':>9}{'with':>9}{'added':>9}")
    print(f"{'':<40}{times.without:>9.1f}{times.with_knowledge:>9.1f}{times.added:>9.1f}")
    print(f"{'of which, ms':<40}{'embed':>9}{'search':>9}{'prompt':>9}{'told':>9}")
    print(
        f"{'':<40}{times.embedding:>9.1f}{times.searching:>9.1f}{times.prompt:>9.2f}"
        f"{times.retrieval:>9.1f}"
    )
