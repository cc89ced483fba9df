"""Requests to URLs that customers chose, protected against SSRF."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from apps.infrastructure.http.safe_http import MAX_BODY_BYTES, HttpResponse, RequestFailed, post
from apps.infrastructure.http.url_validation import UrlNotAllowed
from tests.tls_certificates import write_certificate
from tests.web_processes import free_port
from tests.webhook_receiver import Receiver, Reply


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as started:
        yield started


@pytest.fixture
def receivers(receiver: Receiver) -> Iterator[list[Receiver]]:
    """The receiver, and another on the same port of IPv6 if the machine has IPv6."""
    other = Receiver(host="::1")
    other.port = receiver.port
    try:
        other.start()
    except OSError:
        yield [receiver]
        return
    yield [receiver, other]
    other.stop()


def send(url: str, **given: Any) -> HttpResponse:
    options: dict[str, Any] = {"body": b"{}", "headers": {}, "seconds": 5.0, "allow_private": False}
    return post(url, **options | given)


# What must never connect. Receivers on both loopback addresses would see it.


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "2130706433", "017700000001", "0x7f000001", "0177.0.0.1", "0x7f.1"),
        *("127.1", "127.0.0.01", "127.0.0.1.", "0", "0.0.0.0", "localhost", "localhost."),  # noqa: S104
        *("[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]"),
        *("[2002:7f00:1::]", "user@127.0.0.1", "hooks.example.com@127.0.0.1", "127。0。0。1"),
        *("①②⑦.0.0.1", "%31%32%37.0.0.1", "hooks.example.com\\@127.0.0.1"),
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_no_spelling_of_loopback_connects(
    receivers: list[Receiver], scheme: str, host: str
) -> None:
    with pytest.raises(UrlNotAllowed):
        send(f"{scheme}://{host}:{receivers[0].port}/hook")
    assert sum(receiver.connections for receiver in receivers) == 0


@pytest.mark.parametrize(
    "answers",
    [
        ["127.0.0.1"],
        ["8.8.8.8", "127.0.0.1"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["8.8.8.8", "64:ff9b::a9fe:a9fe"],
        ["2001:0:808:808::5601:2fc"],
        ["2606:4700::5efe:10.0.0.1"],
        ["169.254.169.254"],
        ["10.0.0.1"],
        ["fe80::1%lo"],
        ["0.0.0.0"],  # noqa: S104
    ],
)
def test_name_with_private_address_does_not_connect(
    receivers: list[Receiver], answers: list[str]
) -> None:
    with pytest.raises(UrlNotAllowed, match="leads to an address that is not on the public"):
        send(f"https://hooks.example.com:{receivers[0].port}/", resolve=lambda _: answers)
    assert sum(receiver.connections for receiver in receivers) == 0


def test_name_with_translated_public_address_is_connected_to() -> None:
    """What DNS64 returns: nothing listens there, but the address itself is allowed."""
    with pytest.raises(RequestFailed):
        send(
            "https://hooks.example.com/",
            resolve=lambda _: ["64:ff9b::808:808", "::ffff:8.8.4.4"],
            seconds=0.2,
        )


def test_system_resolver_obeys_the_same_rules(receiver: Receiver) -> None:
    """A name of the hosts file, so that no DNS query is sent."""
    with pytest.raises(UrlNotAllowed, match="Give a full name"):
        send(f"https://localhost:{receiver.port}/")
    assert send(receiver.url.replace("127.0.0.1", "localhost"), allow_private=True).status == 200
    assert receiver.connections == 1


def test_name_is_resolved_once(receiver: Receiver) -> None:
    """DNS rebinding: a second lookup would return another address."""
    with Receiver(host="127.0.0.2") as other:
        answers = iter([["127.0.0.1"], ["127.0.0.2"]])
        url = f"http://hooks.example.com:{receiver.port}/hook"
        other.stop()
        other.port = receiver.port
        other.start()
        assert send(url, allow_private=True, resolve=lambda _: next(answers)).status == 200
        assert (receiver.connections, other.connections) == (1, 0)
        assert next(answers) == ["127.0.0.2"]
    (received,) = receiver.received
    assert received.headers["Host"] == f"hooks.example.com:{receiver.port}"


def test_rebound_name_is_refused(receiver: Receiver) -> None:
    answers = iter([["8.8.8.8"], ["127.0.0.1"]])
    next(answers)  # the lookup when the endpoint was created
    with pytest.raises(UrlNotAllowed):
        send(f"https://hooks.example.com:{receiver.port}/", resolve=lambda _: next(answers))
    assert receiver.connections == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_not_followed(receiver: Receiver, status: int) -> None:
    with Receiver(host="127.0.0.2") as metadata:
        receiver.reply_to = lambda _: Reply(status, headers={"Location": metadata.url})
        assert send(receiver.url, allow_private=True).status == status
        assert metadata.connections == 0


def test_environment_proxy_is_not_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        assert send(receiver.url, allow_private=True).status == 200
        assert (receiver.connections, proxy.connections) == (1, 0)


# Responses.


def test_request_and_response_are_complete(receiver: Receiver) -> None:
    receiver.reply_to = lambda _: Reply(201, b"thanks", {"Retry-After": "120"})
    answer = send(
        f"{receiver.url}/a%2Fb?c=d%20e", body=b'{"a":1}', headers={"X-A": "b"}, allow_private=True
    )
    assert answer == HttpResponse(201, b"thanks", 120)
    (received,) = receiver.received
    assert (received.path, received.body) == ("/hook/a%2Fb?c=d%20e", b'{"a":1}')
    assert received.headers["X-A"] == "b"


@pytest.mark.parametrize("text", ["soon", "-1", "1.5", "", "Wed, 32 Oct 2065 07:28:00 GMT", "²"])
def test_invalid_retry_after_is_ignored(receiver: Receiver, text: str) -> None:
    receiver.reply_to = lambda _: Reply(503, headers={"Retry-After": text})
    assert send(receiver.url, allow_private=True).retry_after is None


@pytest.mark.parametrize(
    "text",
    [
        "Wed, 21 Oct 2065 07:28:00 GMT",
        "Wednesday, 21-Oct-65 07:28:00 GMT",
        "Wed Oct 21 07:28:00 2065",
    ],
)
def test_retry_after_can_be_a_date_in_each_http_format(receiver: Receiver, text: str) -> None:
    receiver.reply_to = lambda _: Reply(503, headers={"Retry-After": text})
    seconds = send(receiver.url, allow_private=True).retry_after
    left = datetime(2065, 10, 21, 7, 28, tzinfo=UTC) - datetime.now(UTC)
    assert seconds is not None
    assert abs(seconds - left.total_seconds()) < 60


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("000120", 120), ("Sun, 06 Nov 1994 08:49:37 GMT", 0), ("9" * 30, 10**12 - 1)],
)
def test_retry_after_is_a_number_of_seconds(receiver: Receiver, text: str, seconds: int) -> None:
    receiver.reply_to = lambda _: Reply(503, headers={"Retry-After": text})
    assert send(receiver.url, allow_private=True).retry_after == seconds


def test_long_body_is_truncated(receiver: Receiver) -> None:
    receiver.reply_to = lambda _: Reply(200, b"x" * 5_000_000)
    assert send(receiver.url, allow_private=True).body == b"x" * MAX_BODY_BYTES


def test_compressed_body_is_not_decompressed(receiver: Receiver) -> None:
    receiver.reply_to = lambda _: Reply(200, b"\x1f\x8b not", {"Content-Encoding": "gzip"})
    assert send(receiver.url, allow_private=True) == HttpResponse(200, b"\x1f\x8b not", None)


def test_incomplete_body_keeps_the_status(receiver: Receiver) -> None:
    receiver.reply_to = lambda _: Reply(200, b"half", {"Content-Length": "400"})
    assert send(receiver.url, allow_private=True) == HttpResponse(200, b"half", None)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(delay=3),
        Reply(raw=b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 100, pause=0.05),
        Reply(raw=b"HTTP/1.1 100 Continue\r\n\r\n" * 100, pause=0.005),
    ],
    ids=["silent", "drips its headers", "says continue for ever"],
)
def test_request_has_one_deadline(receiver: Receiver, reply: Reply) -> None:
    receiver.reply_to = lambda _: reply
    with pytest.raises(RequestFailed, match=r"^No response within 0\.5 seconds\.$"):
        send(receiver.url, allow_private=True, seconds=0.5)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.1 2",
        b"SSH-2.0-OpenSSH_9\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n",
    ],
    ids=["nothing", "half a line", "another protocol", "too many headers"],
)
def test_invalid_http_is_a_failed_request(receiver: Receiver, raw: bytes) -> None:
    receiver.reply_to = lambda _: Reply(raw=raw)
    with pytest.raises(
        RequestFailed, match="The connection closed early, or the response was not HTTP"
    ):
        send(receiver.url, allow_private=True)


def test_refused_connection_is_a_failed_request() -> None:
    with pytest.raises(RequestFailed, match="Connection failed"):
        send(f"http://127.0.0.1:{free_port()}/", allow_private=True)


def unknown(name: str) -> list[str]:
    raise OSError("no such name")


@pytest.mark.parametrize("resolve", [unknown, lambda _: [], lambda _: ["not an address"]])
def test_failed_lookup_is_a_failed_request(resolve: Any) -> None:
    with pytest.raises(RequestFailed, match="DNS lookup failed"):
        send("https://hooks.example.com/", resolve=resolve)


# TLS: the certificate is checked against the host name.


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate of hooks.example.com, with its key."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    return write_certificate(path, "hooks.example.com")


def test_host_name_is_used_for_tls(certificate: Path) -> None:
    server_names: list[str | None] = []
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate)
    serving.sni_callback = lambda _socket, name, _context: server_names.append(name)
    trusting = ssl.create_default_context(cafile=str(certificate))
    with Receiver(tls=serving) as receiver:
        given: dict[str, Any] = {"allow_private": True, "resolve": lambda _: ["127.0.0.1"]}
        url = f"https://hooks.example.com:{receiver.port}/"
        assert send(url, tls=trusting, **given).status == 200
        with pytest.raises(RequestFailed, match="Invalid TLS certificate"):
            send(url.replace("hooks", "other"), tls=trusting, **given)
        with pytest.raises(RequestFailed, match="Invalid TLS certificate"):
            send(url, **given)
    assert server_names == ["hooks.example.com", "other.example.com", "hooks.example.com"]
    assert len(receiver.received) == 1
