"""One request to an address that somebody else chose: what connects, what never does."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from apps.infrastructure.http.safe_http import MAX_BODY_BYTES, HttpResponse, RequestFailed, post
from apps.infrastructure.http.url_validation import UrlNotAllowed
from tests.receiver import Receiver, Reply
from tests.web_processes import free_port


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as started:
        yield started


@pytest.fixture
def receivers(receiver: Receiver) -> Iterator[list[Receiver]]:
    """The receiver, and another on the same port of IPv6 where the machine has it."""
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


# What must never connect. The listeners are on both kinds of loopback: whatever gets through is
# seen there.


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
def test_no_way_of_writing_loopback_connects(
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
        ["169.254.169.254"],
        ["10.0.0.1"],
        ["fe80::1%lo"],
        ["0.0.0.0"],  # noqa: S104
    ],
)
def test_name_that_leads_inside_does_not_connect(
    receivers: list[Receiver], answers: list[str]
) -> None:
    with pytest.raises(UrlNotAllowed, match="leads to an address that is not on the public"):
        send(f"https://hooks.example.com:{receivers[0].port}/", resolve=lambda _: answers)
    assert sum(receiver.connections for receiver in receivers) == 0


def test_systems_own_resolver_is_held_to_the_same_rule(receiver: Receiver) -> None:
    """A name of the machine's own hosts file, so that no name server is asked."""
    with pytest.raises(UrlNotAllowed, match="Give a full name"):
        send(f"https://localhost:{receiver.port}/")
    assert send(receiver.url.replace("127.0.0.1", "localhost"), allow_private=True).status == 200
    assert receiver.connections == 1


def test_name_is_looked_up_once_and_that_answer_is_connected_to(receiver: Receiver) -> None:
    """Rebinding: whatever the name leads to a moment later, nobody asks again."""
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


def test_name_that_was_public_at_first_is_refused_when_it_is_not(receiver: Receiver) -> None:
    answers = iter([["8.8.8.8"], ["127.0.0.1"]])
    next(answers)  # what it answered when the endpoint was made
    with pytest.raises(UrlNotAllowed):
        send(f"https://hooks.example.com:{receiver.port}/", resolve=lambda _: next(answers))
    assert receiver.connections == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_an_answer_and_is_not_followed(receiver: Receiver, status: int) -> None:
    with Receiver(host="127.0.0.2") as metadata:
        receiver.answering = lambda _: Reply(status, headers={"Location": metadata.url})
        assert send(receiver.url, allow_private=True).status == status
        assert metadata.connections == 0


def test_proxy_of_the_environment_is_not_used(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Receiver() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        assert send(receiver.url, allow_private=True).status == 200
        assert (receiver.connections, proxy.connections) == (1, 0)


# What an answer is.


def test_request_and_answer_are_whole(receiver: Receiver) -> None:
    receiver.answering = lambda _: Reply(201, b"thanks", {"Retry-After": "120"})
    answer = send(
        f"{receiver.url}/a%2Fb?c=d%20e", body=b'{"a":1}', headers={"X-A": "b"}, allow_private=True
    )
    assert answer == HttpResponse(201, b"thanks", 120)
    (received,) = receiver.received
    assert (received.path, received.body) == ("/hook/a%2Fb?c=d%20e", b'{"a":1}')
    assert received.headers["X-A"] == "b"


@pytest.mark.parametrize(
    "text", ["soon", "-1", "1.5", "", "9" * 30, "Wed, 21 Oct 2065 07:28:00 GMT"]
)
def test_patience_that_is_no_number_of_seconds_is_passed_over(
    receiver: Receiver, text: str
) -> None:
    receiver.answering = lambda _: Reply(503, headers={"Retry-After": text})
    assert send(receiver.url, allow_private=True).retry_after is None


def test_only_the_beginning_of_a_long_answer_is_read(receiver: Receiver) -> None:
    receiver.answering = lambda _: Reply(200, b"x" * 5_000_000)
    assert send(receiver.url, allow_private=True).body == b"x" * MAX_BODY_BYTES


def test_compressed_answer_is_not_unpacked(receiver: Receiver) -> None:
    receiver.answering = lambda _: Reply(200, b"\x1f\x8b not", {"Content-Encoding": "gzip"})
    assert send(receiver.url, allow_private=True) == HttpResponse(200, b"\x1f\x8b not", None)


def test_body_that_breaks_off_leaves_the_status(receiver: Receiver) -> None:
    receiver.answering = lambda _: Reply(200, b"half", {"Content-Length": "400"})
    assert send(receiver.url, allow_private=True) == HttpResponse(200, b"half", None)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(before=3),
        Reply(raw=b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 100, pause=0.05),
        Reply(raw=b"HTTP/1.1 100 Continue\r\n\r\n" * 100, pause=0.005),
    ],
    ids=["silent", "drips its headers", "says continue for ever"],
)
def test_whole_request_has_one_deadline(receiver: Receiver, reply: Reply) -> None:
    receiver.answering = lambda _: reply
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
def test_what_is_not_http_is_no_answer(receiver: Receiver, raw: bytes) -> None:
    receiver.answering = lambda _: Reply(raw=raw)
    with pytest.raises(RequestFailed, match="The connection closed early, or the response was not HTTP"):
        send(receiver.url, allow_private=True)


def test_nobody_listening_is_no_answer() -> None:
    with pytest.raises(RequestFailed, match="Connection failed"):
        send(f"http://127.0.0.1:{free_port()}/", allow_private=True)


def unknown(name: str) -> list[str]:
    raise OSError("no such name")


@pytest.mark.parametrize("resolve", [unknown, lambda _: [], lambda _: ["not an address"]])
def test_name_without_an_address_is_no_answer(resolve: Any) -> None:
    with pytest.raises(RequestFailed, match="DNS lookup failed"):
        send("https://hooks.example.com/", resolve=resolve)


# TLS: the name that was asked for is the one that is proved.


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of hooks.example.com, signed by itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "hooks.example.com")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hooks.example.com")]), False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


def test_name_is_kept_for_tls(certificate: Path) -> None:
    asked: list[str | None] = []
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate)
    serving.sni_callback = lambda _socket, name, _context: asked.append(name)
    trusting = ssl.create_default_context(cafile=str(certificate))
    with Receiver(tls=serving) as receiver:
        given: dict[str, Any] = {"allow_private": True, "resolve": lambda _: ["127.0.0.1"]}
        url = f"https://hooks.example.com:{receiver.port}/"
        assert send(url, tls=trusting, **given).status == 200
        with pytest.raises(RequestFailed, match="Invalid TLS certificate"):
            send(url.replace("hooks", "other"), tls=trusting, **given)
        with pytest.raises(RequestFailed, match="Invalid TLS certificate"):
            send(url, **given)
    assert asked == ["hooks.example.com", "other.example.com", "hooks.example.com"]
    assert len(receiver.received) == 1
