from __future__ import annotations

import logging

import pytest
import structlog
from django.core.exceptions import DisallowedHost
from django.db import IntegrityError, OperationalError, transaction
from redis.exceptions import ConnectionError as RedisConnectionError

from apps.conversations.models import Message
from apps.core.errors import ServiceUnavailable
from apps.infrastructure.logging import get_logger, redact
from tests.factories import Team, make_api_key, make_chatbot
from tests.infrastructure.conftest import Lines
from tests.turns.turn_factory import make_running_turn

KEY = "sk-workspace_" + "aB3" * 17
MASKED = "sk-workspace_***"


def test_event_is_one_json_line_with_its_fields(lines: Lines) -> None:
    get_logger("parley.test").info("something_happened", count=3, ok=True, nothing=None)
    (line,) = lines()
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "something_happened",
        "level": "info",
        "logger": "parley.test",
        "count": 3,
        "ok": True,
        "nothing": None,
    }


def test_event_has_the_bound_ids(lines: Lines) -> None:
    structlog.contextvars.bind_contextvars(request_id="req_1", workspace_id="w", turn_id="t")
    get_logger("parley.test").info("one")
    logging.getLogger("some.library").warning("two")
    found = [(line["request_id"], line["workspace_id"], line["turn_id"]) for line in lines()]
    assert found == [("req_1", "w", "t")] * 2


def test_line_breaks_do_not_make_lines(lines: Lines) -> None:
    get_logger("parley.test").info("one", text='first\nsecond {"event": "forged"}')
    assert [line["event"] for line in lines()] == ["one"]


def test_api_key_is_masked_in_all_fields(lines: Lines) -> None:
    log = get_logger("parley.test")
    log.info("with %s", KEY, header=f"Bearer {KEY}", nested={"a": [KEY, (KEY,)]})
    log.info("an object", value=ValueError(KEY))
    logging.getLogger("some.library").warning("got %s and %r", KEY, {"key": KEY})
    first, second, third = lines()
    assert (first["event"], first["header"]) == ("with " + MASKED, f"Bearer {MASKED}")
    assert first["nested"] == {"a": [MASKED, [MASKED]]}
    assert second["value"] == MASKED
    assert third["event"] == f"got {MASKED} and {{'key': '{MASKED}'}}"


def test_api_key_is_masked_in_tracebacks(lines: Lines) -> None:
    try:
        raise ValueError(f"refused {KEY}")
    except ValueError:
        get_logger("parley.test").exception("failed")
        logging.getLogger("some.library").exception("failed")
    assert [line["exception"].splitlines()[-1] for line in lines()] == [
        f"ValueError: refused {MASKED}"
    ] * 2


def test_issued_api_key_is_masked(team: Team, lines: Lines) -> None:
    get_logger("parley.test").info("one", key=make_api_key(team.workspace))
    assert [line["key"] for line in lines()] == [MASKED]


def test_rows_in_database_errors_are_cut_from_tracebacks(team: Team, lines: Lines) -> None:
    message = Message.objects.get(turn=make_running_turn(make_chatbot(team.workspace)))
    fields = {"workspace": message.workspace, "conversation": message.conversation}
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        Message.objects.create(
            **fields, turn=message.turn, role="x", text="my secret\nin lines\n\nand parts"
        )
    assert "my secret\nin lines\n\nand parts" in str(caught.value)
    get_logger("parley.test").error("failed", exc_info=caught.value)
    (line,) = lines()
    traceback = line["exception"]
    assert [word for word in ("secret", "in lines", "and parts") if word in traceback] == []
    assert traceback.count("conversations_message_role_known") == 2
    assert traceback.count("DETAIL: (left out)") == 2
    assert traceback.count("The above exception was the direct cause") == 1


@pytest.mark.parametrize("label", ["DETAIL", "CONTEXT", "QUERY", "STATEMENT", "HINT"])
def test_redact_cuts_database_details(label: str) -> None:
    event = redact(None, "info", {"event": f"ERROR: no\n{label}:  Key (a)=(secret)\nmore secret"})
    assert event == {"event": f"ERROR: no\n{label}: (left out)"}


def test_redact_leaves_other_text_unchanged() -> None:
    event = {"event": "a detail: of no weight", "n": 1, "f": 0.5, "b": False, "none": None}
    assert redact(None, "info", dict(event)) == event


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("connection to server failed\nIs it running?"),
        ServiceUnavailable(),
        RedisConnectionError("refused"),
        DisallowedHost("Invalid HTTP_HOST header"),
    ],
)
def test_outage_is_one_line_without_a_traceback(lines: Lines, error: Exception) -> None:
    try:
        raise error
    except type(error) as caught:
        get_logger("ours").error("request_failed", exc_info=caught)
        get_logger("ours").exception("poll_failed")
        logging.getLogger("django.request").exception("Failed: %s", "/page")
    found = lines()
    assert [line["level"] for line in found] == ["warning"] * 3
    assert [line["event"].split(" (")[0] for line in found[:2]] == ["request_failed", "poll_failed"]
    assert found[2]["event"].startswith("Failed: /page")
    assert all("exception" not in line and "\n" not in str(line) for line in found)
    assert all(type(error).__name__ in str(line) for line in found)


def test_unforeseen_error_keeps_its_traceback(lines: Lines) -> None:
    try:
        raise ValueError("unforeseen")
    except ValueError:
        get_logger("ours").exception("request_failed")
    (line,) = lines()
    assert line["level"] == "error"
    assert "Traceback" in line["exception"]


def test_long_values_are_cut(lines: Lines) -> None:
    agent = {"headers": ["x" * 60_000]}
    get_logger("parley.test").info("request", path="/" + "y" * 60_000, client=agent)
    (line,) = lines()
    assert line["path"].startswith("/yyy")
    assert line["path"].endswith("… (60001 characters)")
    assert len(line["client"]["headers"][0]) < 1100
