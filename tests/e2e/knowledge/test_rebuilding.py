"""Questions while a knowledge base is rebuilt: each answer is from one generation of its source.

More questions than the suite asks: REBUILDING_QUESTIONS=200 before make test.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle

import pytest

from apps.audit.services import SYSTEM
from apps.chatbots.models import EmbeddingModel
from apps.conversations.models import Citation
from apps.knowledge.models import KnowledgeBase, Source, SourceStatus
from apps.knowledge.pipeline.indexing import index_sources
from apps.knowledge.pipeline.model_changes import change_embedding_models
from apps.knowledge.services.bases import update_knowledge_base
from apps.knowledge.services.sources import update_source
from tests.e2e.database_state import wait_until
from tests.factories import Team, make_api_key, make_chatbot
from tests.factories.embedding_models import make_embedding_model
from tests.knowledge.chatbot_knowledge import give_knowledge
from tests.web_processes import Caller, WebProcess

QUESTIONS = int(os.environ.get("REBUILDING_QUESTIONS", "24"))
"""At least so many, and the knowledge base is rebuilt until then, at least twice."""
THREADS = 3
PARTS = 12
QUESTION = "What does each edition of the handbook say about the samovar?"


def edition(number: int) -> str:
    """A handbook, each chunk of which has its edition's number and words of its own."""
    return "\n\n".join(
        f"## Chapter {part}\n\nEdition {number} of the handbook says about the samovar: "
        + " ".join(f"word{part}x{word}" for word in range(60))
        for part in range(PARTS)
    )


class Askers:
    """Threads that ask questions one after the other."""

    def __init__(self, caller: Caller) -> None:
        self.turn_ids: list[str] = []
        self._caller = caller
        self._stopping = threading.Event()

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Ask during the block, and until there are QUESTIONS answers."""
        with ThreadPoolExecutor(THREADS) as pool:
            running = [pool.submit(self._ask) for _ in range(THREADS)]
            try:
                yield
            finally:
                self._stopping.set()
                for each in running:
                    each.result()

    def wait_for_answers(self) -> None:
        """Wait until every thread has asked anew and been answered."""
        count = len(self.turn_ids) + 2 * THREADS
        wait_until(lambda: len(self.turn_ids) >= count, seconds=60)

    def _ask(self) -> None:
        while not self._stopping.is_set() or len(self.turn_ids) < QUESTIONS:
            answer = self._caller.post(QUESTION, stream=False).json()
            assert answer["success"], answer
            assert answer["data"]["knowledge"] == "found"
            self.turn_ids.append(answer["data"]["turnId"])


def rebuild(source: Source, number: int) -> None:
    """Index another edition."""
    update_source(source=source, actor=SYSTEM, changes={"text": edition(number)})
    index_sources(max_seconds=60)
    source.refresh_from_db()
    assert (source.status, source.text) == (SourceStatus.READY, edition(number))


def change_embedding_model(base: KnowledgeBase, model: EmbeddingModel) -> None:
    """Embed everything by another model."""
    update_knowledge_base(base=base, name=base.name, embedding_model=model, actor=SYSTEM)
    change_embedding_models(max_seconds=60)
    base.refresh_from_db()
    assert base.embedding_model_id == model.id


@pytest.mark.timeout(300)
def test_answers_are_from_one_generation_while_it_is_rebuilt(
    web: WebProcess, live_team: Team
) -> None:
    chatbot = make_chatbot(live_team.workspace, rate_limit_requests=1000)
    base = give_knowledge(chatbot, {"Handbook": edition(1)})
    source = Source.objects.get(knowledge_base=base)
    askers = Askers(Caller(web, chatbot, make_api_key(live_team.workspace)))
    models, number = cycle([make_embedding_model(), base.embedding_model]), 1
    with askers.asking():
        askers.wait_for_answers()
        while number < 3 or len(askers.turn_ids) < QUESTIONS:
            number += 1
            rebuild(source, number)
            change_embedding_model(base, next(models))
            askers.wait_for_answers()
    editions = {turn_id: shown_editions(turn_id) for turn_id in askers.turn_ids}
    assert {turn_id: shown for turn_id, shown in editions.items() if len(shown) != 1} == {}
    assert set.union(*editions.values()) >= {1, number}


def shown_editions(turn_id: str) -> set[int]:
    """The editions of all passages of a turn, each of which has at least one."""
    texts = list(Citation.objects.filter(turn_id=turn_id).values_list("text", flat=True))
    found = [set(map(int, re.findall(r"Edition (\d+)", text))) for text in texts]
    assert all(found), texts
    return set().union(*found)
