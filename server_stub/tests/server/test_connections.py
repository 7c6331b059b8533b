"""Connections: kept open, kept waiting, cut."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from sandkit_server.http import protocol
from sandkit_server.testing import EmbeddedServer


@pytest.fixture
def connection() -> Iterator[socket.socket]:
    with EmbeddedServer(api_key=None) as server:
        address = urlsplit(server.base_url)
        with socket.create_connection((address.hostname or "", address.port or 0), timeout=10) as connected:
            yield connected


def _answer(connection: socket.socket) -> tuple[int, bytes]:
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = connection.recv(65536)
        assert chunk, "the connection ended"
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    length = next(line for line in head.split(b"\r\n") if line.startswith(b"content-length"))
    while len(body) < int(length.split(b":")[1]):
        body += connection.recv(65536)
    return int(head.split(b" ")[1]), body


def _get(connection: socket.socket) -> int:
    connection.sendall(b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return _answer(connection)[0]


@pytest.mark.parametrize("size", [1000, 70_000, 900_000])
def test_a_large_body_is_no_large_head_and_the_connection_is_kept(
    connection: socket.socket, size: int
) -> None:
    body = json.dumps({"env": {"A": "x" * size}}).encode()
    head = b"POST /v1/sandboxes HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    for _ in range(3):
        connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        status, answer = _answer(connection)
        assert (status, json.loads(answer)["code"]) == (400, "REQUEST::INVALID_PARAMETER")
    assert _get(connection) == 200


def test_a_refused_upload_that_ends_keeps_its_connection(connection: socket.socket) -> None:
    size = 3_000_000
    connection.sendall(
        b"POST /v1/sandboxes HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % size
    )
    connection.sendall(b" " * size)
    assert _answer(connection)[0] == 413
    assert _get(connection) == 200


def test_a_refused_upload_that_does_not_end_is_cut(connection: socket.socket) -> None:
    connection.sendall(
        b"POST /v1/sandboxes HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: 100000000\r\n\r\n{"
    )
    assert _answer(connection)[0] == 413
    assert connection.recv(1) == b""


@pytest.mark.parametrize(("longest", "survives"), [(30.0, True), (0.6, False)])
def test_a_refused_upload_may_take_its_time_but_not_all_of_it(
    connection: socket.socket, monkeypatch: pytest.MonkeyPatch, longest: float, survives: bool
) -> None:
    monkeypatch.setattr(protocol, "_LINGER", 2.0)
    monkeypatch.setattr(protocol, "_LONGEST_LINGER", longest)
    connection.sendall(
        b"POST /v1/sandboxes HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: 2000000\r\n\r\n"
    )
    assert _answer(connection)[0] == 413
    try:
        for _ in range(10):
            time.sleep(0.3)
            connection.sendall(b" " * 200_000)
        status = _get(connection)
    except (OSError, AssertionError):
        status = None
    assert (status == 200) is survives


def test_a_head_that_does_not_come_is_not_waited_for_forever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.1)
    with EmbeddedServer(api_key=None) as server:
        address = urlsplit(server.base_url)
        where = (address.hostname or "", address.port or 0)
        with (
            socket.create_connection(where, timeout=10) as silent,
            socket.create_connection(where, timeout=10) as slow,
        ):
            slow.sendall(b"GET /v1/health HTTP/1.1\r\nHost: local")
            status, answer = _answer(slow)
            assert (status, json.loads(answer)["code"]) == (408, "REQUEST::TIMEOUT")
            assert silent.recv(1) == b""
        with socket.create_connection(where, timeout=10) as kept:
            assert _get(kept) == 200
            time.sleep(0.3)
            assert _get(kept) == 200
            kept.sendall(b"GET /v1/health HTTP/1.1\r\n")
            assert _answer(kept)[0] == 408
