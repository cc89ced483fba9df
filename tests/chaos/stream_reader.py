"""Read a turn's stream over several connections."""

from __future__ import annotations

from dataclasses import dataclass

import httpx

from tests.web_processes import Frame, parse_frames


@dataclass(frozen=True)
class Told:
    """An end that a caller was told: a completed turn's text and charge, or its error's code."""

    turn_id: str
    text: str | None
    charged: int | None
    code: str = ""


class StreamReader:
    """What a reader of a turn has, over all its connections."""

    def __init__(self) -> None:
        self.last_id = 0
        self.turn_id: str | None = None
        self.end: Frame | None = None
        self.violations: list[str] = []
        self._text = ""

    async def read(self, response: httpx.Response, *, until: int | None) -> None:
        """Read to the end of the connection, or leave after so many frames."""
        block, count = "", 0
        async for line in response.aiter_lines():
            block += line + "\n"
            if line:
                continue
            for frame in parse_frames(block):
                if isinstance(frame, Frame):
                    self._take(frame)
                    count += 1
            block = ""
            if until is not None and count >= until:
                return

    def told(self) -> Told:
        assert self.end is not None
        assert self.turn_id is not None
        data = self.end.data.get("data", {})
        if self.end.event == "message.end":
            return Told(self.turn_id, data["response"], data["credits"]["charged"])
        return Told(self.turn_id, None, None, code=self.end.data.get("code", ""))

    def _take(self, frame: Frame) -> None:
        if frame.id is None:
            # An interruption: the turn may go on, unless it was abandoned.
            if frame.data.get("code") == "TURN_ABANDONED":
                self.end = frame
            return
        if frame.id != self.last_id + 1:
            self.violations.append(f"number {frame.id} came after {self.last_id}")
        if self.end is not None:
            self.violations.append(f"{frame.event} came after the end")
        self.last_id = frame.id
        match frame.event:
            case "message.start":
                self.turn_id = frame.data["turnId"]
            case "message.delta":
                self._text += frame.data["delta"]
            case "message.end":
                self.end = frame
                response = frame.data["data"]["response"]
                if self._text != response:
                    self.violations.append(f"deltas {self._text!r} are not {response!r}")
            case "error":
                self.end = frame
