"""A mail server on loopback that answers each recipient as a test says."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class ReceivedEmail:
    """An email that the server took."""

    recipient: str
    content: str


class SmtpServer:
    """Answers RCPT with `reply_to_recipient` and DATA with `reply_to_data`, each "code text"."""

    def __init__(self) -> None:
        self.reply_to_recipient: Callable[[str], str] = lambda _: "250 ok"
        self.reply_to_data: Callable[[str], str] = lambda _: "250 taken"
        self.received: list[ReceivedEmail] = []
        self.recipients: list[str] = []
        """Every recipient that was tried, in order."""
        server = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                server._serve(self)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, connection: socketserver.StreamRequestHandler) -> None:
        def say(line: str) -> None:
            connection.wfile.write(f"{line}\r\n".encode())

        say("220 mail.example.com")
        recipient = ""
        while line := connection.rfile.readline().decode().strip():
            command = line.upper()
            if command.startswith("RCPT TO:"):
                recipient = line[8:].strip().split(">")[0].lstrip("<")
                self.recipients.append(recipient)
                say(self.reply_to_recipient(recipient))
            elif command == "DATA":
                say("354 go on")
                content = self._read_content(connection)
                reply = self.reply_to_data(recipient)
                if reply.startswith("2"):
                    self.received.append(ReceivedEmail(recipient, content))
                say(reply)
            elif command == "QUIT":
                say("221 bye")
                return
            else:
                say("250 ok")

    @staticmethod
    def _read_content(connection: socketserver.StreamRequestHandler) -> str:
        lines = []
        while (line := connection.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line)
        return b"".join(lines).decode()
