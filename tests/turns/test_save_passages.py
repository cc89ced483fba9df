"""Passages that are saved before they are told: one SQL statement for all turns that wait."""

from __future__ import annotations

from dataclasses import replace

from apps.chatbots.models import Chatbot
from apps.conversations.citations import citations_of
from apps.conversations.models import Citation, Knowledge, Turn, TurnStatus
from apps.infrastructure.postgres.threads import in_thread
from apps.turns.citations import Retrieved, save_passages
from apps.turns.heartbeat import Progress, save_progress
from apps.turns.open import open_turn
from apps.turns.settle import settle_turn
from apps.turns.types import Settlement
from tests.factories import make_team
from tests.turns.concurrent_calls import outcomes
from tests.turns.passages import FOUND, PASSAGES
from tests.turns.turn_factory import new_turn

FIRST, SECOND = PASSAGES


async def open_turns(chatbot: Chatbot, count: int) -> list[Turn]:
    return [(await open_turn(new_turn(chatbot, credits=2)))[0] for _ in range(count)]


async def stored(turn: Turn) -> list[tuple[int, str]]:
    """The citations of a turn: numbers and texts."""
    rows = Citation.objects.filter(turn=turn).order_by("number").values_list("number", "text")
    return await in_thread(lambda: list(rows))


async def test_passages_are_saved_as_they_are_shown(funded_chatbot: Chatbot) -> None:
    (turn,) = await open_turns(funded_chatbot, 1)
    await save_passages(turn, FOUND)
    citation = await in_thread(Citation.objects.get, turn=turn, number=1)
    assert citation.workspace_id == turn.workspace_id
    assert (citation.source_id, citation.chunk_id) == (FIRST.source_id, FIRST.chunk_ids[0])
    assert (citation.title, citation.url, citation.page) == (FIRST.title, FIRST.url, FIRST.page)
    assert (citation.text, citation.digest) == (FIRST.text, FIRST.digest)
    assert (citation.score, citation.matched_by) == (FIRST.score, ["words", "vectors"])
    assert (await in_thread(Turn.objects.get, id=turn.id)).retrieval_ms == 12


async def test_turns_at_once_keep_their_own_passages(funded_chatbot: Chatbot) -> None:
    turns = await open_turns(funded_chatbot, 3)
    found = [FOUND, replace(FOUND, passages=[SECOND]), Retrieved(Knowledge.NOTHING_FOUND, 7)]
    calls = (save_passages(turn, each) for turn, each in zip(turns, found, strict=True))
    assert await outcomes(*calls) == ["done"] * 3
    assert [await stored(turn) for turn in turns] == [
        [(1, FIRST.text), (2, SECOND.text)],
        [(1, SECOND.text)],
        [],
    ]


async def test_passages_may_be_saved_again(funded_chatbot: Chatbot) -> None:
    """The answer of the first statement was lost."""
    (turn,) = await open_turns(funded_chatbot, 1)
    await save_passages(turn, FOUND)
    once = await in_thread(lambda: list(Citation.objects.filter(turn=turn).values()))
    await save_passages(turn, FOUND)
    assert await in_thread(lambda: list(Citation.objects.filter(turn=turn).values())) == once


async def test_ended_turn_keeps_what_it_has(funded_chatbot: Chatbot) -> None:
    turn, other = await open_turns(funded_chatbot, 2)
    await settle_turn(turn=turn, settlement=Settlement(TurnStatus.STOPPED))
    calls = (save_passages(each, FOUND) for each in (turn, other))
    assert await outcomes(*calls) == ["TurnNotRunning", "done"]
    assert (await stored(turn), len(await stored(other))) == ([], 2)
    assert (await in_thread(Turn.objects.get, id=turn.id)).retrieval_ms is None


async def test_turn_of_another_workspace_gets_no_passages(funded_chatbot: Chatbot) -> None:
    (turn,) = await open_turns(funded_chatbot, 1)
    turn.workspace_id = (await in_thread(make_team)).other_workspace.id
    assert await outcomes(save_passages(turn, FOUND)) == ["TurnNotRunning"]
    assert await stored(turn) == []


async def test_invalid_passage_fails_alone_in_its_batch(funded_chatbot: Chatbot) -> None:
    turns = await open_turns(funded_chatbot, 3)
    invalid = replace(FOUND, passages=[FIRST, replace(SECOND, text="NUL \x00")])
    found = [FOUND, invalid, FOUND]
    calls = (save_passages(turn, each) for turn, each in zip(turns, found, strict=True))
    assert await outcomes(*calls) == ["done", "UntranslatableCharacter", "done"]
    assert [len(await stored(turn)) for turn in turns] == [2, 0, 2]


async def test_saved_passages_count_once_the_turn_tells_them(funded_chatbot: Chatbot) -> None:
    told, untold = await open_turns(funded_chatbot, 2)
    for turn in (told, untold):
        await save_passages(turn, FOUND)
    progress = {
        told.id: Progress(["So"], knowledge="found"),
        untold.id: Progress(["So"], knowledge="unavailable"),
    }
    await in_thread(save_progress, progress)
    rows = [await in_thread(Turn.objects.get, id=turn.id) for turn in (told, untold)]
    found = await in_thread(citations_of, rows)
    assert {turn_id: len(citations) for turn_id, citations in found.items()} == {told.id: 2}
