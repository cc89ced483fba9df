"""Read a turn's events over several connections, of any transport that numbers them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx

from tests.chaos.record import Sources, Told, told_answer, told_sources
from tests.web_processes import Frame, parse_frames

DONE = "[DONE]"
INTERRUPTIONS = ("SERVICE_UNAVAILABLE", "RATE_LIMIT_EXCEEDED")
"""The codes after which a turn may go on, so that its reader comes again."""


class TurnReader:
    """What a reader of a turn has, over all its connections."""

    def __init__(self, chatbot: str, turn_id: str | None = None) -> None:
        self.chatbot = chatbot
        self.turn_id = turn_id
        self.last_id = 0
        self.end: Frame | None = None
        self.is_interrupted = False
        """Whether this connection has told that it tells no more of the turn."""
        self.violations: list[str] = []
        self._text = ""
        self._sources = Sources()

    @property
    def is_told(self) -> bool:
        """Whether the last thing that was told is an end or an interruption."""
        return self.end is not None or self.is_interrupted

    def told(self) -> Told:
        assert self.end is not None
        assert self.turn_id is not None
        if self.end.event == "message.end":
            return told_answer(self.end.data["data"])
        return Told(self.turn_id, None, None, code=self.end.data.get("code", ""))

    def take(self, frame: Frame) -> None:
        """Take the next frame of a connection."""
        turn_id = frame.data.get("turnId") or self.turn_id
        if self.turn_id is not None and turn_id != self.turn_id:
            self.violations.append(f"{frame.event} of turn {turn_id} was told")
        if self.is_told:
            self.violations.append(f"{frame.event} came after the end")
        self.turn_id = turn_id
        if frame.id is None:
            self._take_interruption(frame)
        else:
            self._take_event(frame.id, frame)

    def _take_interruption(self, frame: Frame) -> None:
        code = frame.data.get("code")
        if code == "TURN_ABANDONED":
            self.end = frame
            return
        if frame.event != "error" or code not in INTERRUPTIONS:
            self.violations.append(f"interrupted by {frame.data}")
        self.is_interrupted = True

    def _take_event(self, number: int, frame: Frame) -> None:
        if number != self.last_id + 1:
            self.violations.append(f"number {number} came after {self.last_id}")
        self.last_id = number
        match frame.event:
            case "message.start":
                pass
            case "message.sources":
                self._sources = told_sources(frame.data)
                if number != 2:
                    self.violations.append(f"sources have number {number}")
            case "message.delta":
                self._text += frame.data["delta"]
            case "message.end":
                self.end = frame
                response = frame.data["data"]["response"]
                if self._text != response:
                    self.violations.append(f"deltas {self._text!r} are not {response!r}")
                sources = told_sources(frame.data["data"])
                if self._sources != sources:
                    self.violations.append(f"{self._sources} are not {sources} of the end")
            case "error":
                self.end = frame
            case _:
                self.violations.append(f"unknown event {frame.event}")


async def read_stream(response: httpx.Response, reader: TurnReader, until: int | None) -> None:
    """Read to the end of the connection, or leave after so many frames."""
    reader.is_interrupted = False
    count, is_done = 0, False
    async for frame in frames_of(response):
        if isinstance(frame, Frame):
            reader.take(frame)
            count += 1
        is_done = frame == DONE
        if until is not None and count >= until:
            return
    # The connection was not lost, so the server has said all.
    if not (is_done and reader.is_told):
        reader.violations.append(f"the stream ended after number {reader.last_id}, with no end")


async def frames_of(response: httpx.Response) -> AsyncIterator[Frame | str]:
    """The server-sent events of a response as they come, and DONE."""
    block = ""
    async for line in response.aiter_lines():
        block += line + "\n"
        if not line:
            for frame in parse_frames(block):
                yield frame
            block = ""
