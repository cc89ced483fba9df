"""Sources of an answer, for tests of the stream formats."""

from __future__ import annotations

from apps.conversations.citations import AnswerSource

PAGE = AnswerSource(1, "page", "Returns", "https://acme.example/returns", None, "Thirty days.")
FILE = AnswerSource(2, "file", "Handbook", "", 7, "Keep it.")
