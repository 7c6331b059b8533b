"""A reference server for the tests that need a real one, and an environment that says nothing."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from sandkit_server.testing import EmbeddedServer


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as running:
        yield running


@pytest.fixture(autouse=True)
def silent_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("API_KEY", "DOMAIN", "PROTOCOL"):
        monkeypatch.delenv(f"OPEN_SANDBOX_{name}", raising=False)
    monkeypatch.delenv("SANDKIT_LOG", raising=False)


class RawServer:
    """Answers each connection with the next list of chunks, as they are, and closes it."""

    def __init__(self, connections: list[list[bytes]]) -> None:
        self._connections = connections
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.base_url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.sent = 0
        self.requests: list[bytes] = []
        self._thread.start()

    def _serve(self) -> None:
        for chunks in self._connections:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self.requests.append(connection.recv(65536))
                for chunk in chunks:
                    try:
                        connection.sendall(chunk)
                    except OSError:
                        break
                    self.sent += len(chunk)

    def close(self) -> None:
        """Stop listening and wait for the connection under way."""
        # A shutdown wakes the accept, which a close alone does not everywhere.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)


@pytest.fixture
def raw_server() -> Iterator[Callable[[list[list[bytes]]], RawServer]]:
    """Makes servers that say whatever bytes a test wants."""
    started: list[RawServer] = []

    def start(connections: list[list[bytes]]) -> RawServer:
        started.append(RawServer(connections))
        return started[-1]

    yield start
    for server in started:
        server.close()
