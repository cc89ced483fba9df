"""Seed the knowledge base of the demo's shop. The worker indexes its sources."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.audit.services import Actor
from apps.chatbots.models import Chatbot
from apps.conversations.models import Citation, Knowledge, Turn
from apps.core.ids import new_id
from apps.demo.shop_knowledge import ANSWERS, NAME, PAGES, PASSAGES, SIZES, SIZES_FILE
from apps.knowledge.chunking.split import make_chunk
from apps.knowledge.models import KnowledgeBase, Source
from apps.knowledge.services.attachments import set_chatbot_knowledge_bases
from apps.knowledge.services.bases import create_knowledge_base
from apps.knowledge.services.sources import add_file, add_question_and_answer, add_text
from apps.workspaces.models import Workspace

AGE = timedelta(days=12)
"""How long ago the base was created. Later turns of its chatbots have sources."""
UNAVAILABLE_SHARE = 0.01
_BEST_SCORE = 2 / 61
"""Of a passage that is the first of both searches."""


@dataclass(frozen=True, slots=True)
class _Passage:
    source_id: str
    title: str
    text: str
    digest: str


@dataclass(frozen=True, slots=True)
class ShopKnowledge:
    """The base's passages by heading, for turns of these chatbots since a time."""

    since: datetime
    chatbot_ids: frozenset[str]
    passages: Mapping[str, _Passage]

    def retrieve(self, turn: Turn, question: str, rng: random.Random) -> list[Citation]:
        """Set what a search for the question came to in an unsaved turn. Return its citations."""
        if turn.chatbot_id not in self.chatbot_ids or turn.created_at < self.since:
            return []
        turn.retrieval_ms = rng.randrange(14, 60)
        if rng.random() < UNAVAILABLE_SHARE:
            turn.knowledge, turn.retrieval_ms = Knowledge.UNAVAILABLE, 1500
            return []
        citations = list(self._citations(turn, PASSAGES.get(question, ())))
        turn.knowledge = Knowledge.FOUND if citations else Knowledge.NOTHING_FOUND
        return citations

    def _citations(self, turn: Turn, headings: Sequence[str]) -> Iterator[Citation]:
        for number, heading in enumerate(headings, start=1):
            passage = self.passages[heading]
            yield Citation(
                workspace_id=turn.workspace_id,
                turn=turn,
                number=number,
                source_id=passage.source_id,
                chunk_id=new_id(),
                digest=passage.digest,
                title=passage.title,
                text=passage.text,
                score=_BEST_SCORE / number,
                matched_by=["words", "vectors"] if number == 1 else ["vectors"],
            )


def seed_knowledge(
    *, workspace: Workspace, chatbots: Sequence[Chatbot], actor: Actor, now: datetime
) -> ShopKnowledge:
    """Create the shop's knowledge base and attach it to these chatbots."""
    base = create_knowledge_base(workspace_id=workspace.id, name=NAME, actor=actor)
    passages = {**_add_pages(base, actor), **_add_answers(base, actor)}
    add_file(base=base, name=SIZES_FILE, content_type="text/csv", body=SIZES.encode(), actor=actor)
    for chatbot in chatbots:
        set_chatbot_knowledge_bases(chatbot=chatbot, base_ids=[base.id], actor=actor)
    created_at = now - AGE
    KnowledgeBase.objects.filter(id=base.id).update(created_at=created_at)
    sources = Source.objects.filter(workspace=workspace, knowledge_base=base)
    for number, source in enumerate(sources.order_by("created_at", "id"), start=1):
        added_at = created_at + timedelta(minutes=4 * number)
        sources.filter(id=source.id).update(created_at=added_at)
    return ShopKnowledge(
        created_at + timedelta(hours=2), frozenset(c.id for c in chatbots), passages
    )


def _add_pages(base: KnowledgeBase, actor: Actor) -> Mapping[str, _Passage]:
    passages = {}
    for title, sections in PAGES.items():
        text = "\n\n".join(f"## {heading}\n\n{text}" for heading, text in sections.items())
        source = add_text(base=base, title=title, text=text, actor=actor)
        for heading, section in sections.items():
            passages[heading] = _passage(source, section, title, heading)
    return passages


def _add_answers(base: KnowledgeBase, actor: Actor) -> Mapping[str, _Passage]:
    passages = {}
    for questions, answer in ANSWERS.items():
        source = add_question_and_answer(base=base, questions=questions, answer=answer, actor=actor)
        text = "\n".join((*questions, answer))
        passages[questions[0]] = _passage(source, text, source.title)
    return passages


def _passage(source: Source, text: str, *path: str) -> _Passage:
    chunk = make_chunk(0, path, text, None)
    return _Passage(source.id, path[0], text, chunk.digest)
