"""Bytes that are not quite HTTP, through a bare socket: no client library tidies them up."""

from __future__ import annotations

import json
import socket
from urllib.parse import urlsplit

import pytest

from .census import World

KEY_LINE = "OPEN-SANDBOX-API-KEY: {key}\r\n"


def _exchange(world: World, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send bytes, close the sending side, and read one answer to its end."""
    address = urlsplit(world.server.base_url)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while b"\r\n\r\n" not in received:
            chunk = connection.recv(65536)
            assert chunk, f"the connection ended within the head: {received!r}"
            received += chunk
        head, _, body = received.partition(b"\r\n\r\n")
        status, *fields = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (field.partition(": ") for field in fields)}
        while len(body) < int(headers.get("content-length", 0)):
            body += connection.recv(65536)
    return int(status.split(" ")[1]), headers, body


def _request(world: World, line: str, *fields: str, body: bytes = b"") -> bytes:
    head = [line, "Host: localhost", KEY_LINE.format(key=world.server.api_key).strip(), *fields, "", ""]
    return "\r\n".join(head).encode("latin-1") + body


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"hello\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /v1/health\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /v1/health HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64,
        b"GET /v1/health HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET /v1/health HTTP/1.1\r\nNo colon\r\n\r\n",
        b"GET /v1/\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /v1/he alth HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /v1/sandboxes HTTP/1.1\r\nHost: x\r\nContent-Length: ten\r\n\r\n",
        b"POST /v1/sandboxes HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/sandboxes HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/sandboxes HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"CONNECT example.test:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
    ids=[
        "no HTTP",
        "half a line",
        "HTTP/0.9",
        "HTTP/2",
        "an unknown version",
        "a TLS hello",
        "a space before the colon",
        "no colon",
        "bytes in the path",
        "a blank in the path",
        "a length in letters",
        "a negative length",
        "two lengths",
        "a length and chunks",
        "chunks that do not end it",
        "a tunnel",
    ],
)
def test_what_is_not_http_gets_the_envelope_and_the_connection_ends(
    world: World, request_bytes: bytes
) -> None:
    before = world.census()
    status, headers, body = _exchange(world, request_bytes)
    assert (status, json.loads(body)["code"]) == (400, "REQUEST::MALFORMED_HTTP")
    assert headers["content-type"] == "application/json"
    assert headers["x-request-id"]
    assert headers["connection"] == "close"
    assert world.census() == before


@pytest.mark.parametrize(
    "head",
    [
        b"GET /v1/" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /v1/health HTTP/1.1\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
        b"GET /v1/health HTTP/1.1\r\n" + b"X: abcdefgh\r\n" * 10_000 + b"\r\n",
        b"GET /v1/health HTTP/1.1\r\nX: " + b"a" * 400_000,
    ],
    ids=["a long path", "a long field", "many fields", "a field without end"],
)
def test_a_request_head_has_an_end(world: World, head: bytes) -> None:
    status, headers, body = _exchange(world, head)
    assert (status, json.loads(body)["code"]) == (431, "REQUEST::HEADERS_TOO_LARGE")
    assert headers["x-request-id"]


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/v1/sandboxes/../health", 404),
        ("/v1/./health", 404),
        ("/v1//health", 404),
        ("/v1/%68ealth", 200),
        ("/v1/health?", 200),
        ("/v1/health?%zz&&=&=x", 200),
        ("http://anything.test/v1/health", 200),
        ("*", 404),
        ("/v1/health;v=1", 404),
    ],
)
def test_paths_are_taken_as_they_are(world: World, target: str, status: int) -> None:
    found, headers, _ = _exchange(world, _request(world, f"GET {target} HTTP/1.1"))
    assert found == status
    assert headers["x-request-id"]


def test_a_request_without_a_host_or_of_http_1_0_is_answered(world: World) -> None:
    status, headers, _ = _exchange(world, b"GET /v1/health HTTP/1.0\r\n\r\n")
    assert (status, headers["connection"]) == (200, "close")


def test_an_offer_to_switch_protocols_is_declined(world: World) -> None:
    fields = (
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Key: x",
        "Sec-WebSocket-Version: 13",
    )
    status, _, _ = _exchange(world, _request(world, "GET /v1/health HTTP/1.1", *fields))
    assert status == 200


def test_a_client_that_waits_for_100_continue_is_refused_before_it_sends(world: World) -> None:
    request = _request(
        world,
        "POST /v1/sandboxes HTTP/1.1",
        "Content-Type: application/json",
        "Content-Length: 1000000000",
        "Expect: 100-continue",
    )
    assert _exchange(world, request)[0] == 413


def test_a_body_cut_short_does_nothing(world: World) -> None:
    before = world.census()
    address = urlsplit(world.server.base_url)
    request = _request(
        world,
        "POST /v1/sandboxes HTTP/1.1",
        "Content-Type: application/json",
        "Content-Length: 500",
        body=b'{"image":',
    )
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=10) as connection:
        connection.sendall(request)
    assert world.client.get("/health").status_code == 200
    assert world.census() == before


def test_requests_in_a_row_are_answered_in_order_on_one_connection(world: World) -> None:
    address = urlsplit(world.server.base_url)
    requests = b"".join(
        _request(world, f"GET /v1/health?{number} HTTP/1.1", f"X-Request-ID: r{number}")
        for number in range(20)
    )
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=10) as connection:
        connection.sendall(requests)
        received = b""
        while received.count(b'"healthy"}') < 20:
            received += connection.recv(65536)
    order = [line.split(b": ")[1] for line in received.split(b"\r\n") if line.startswith(b"x-request-id")]
    assert order == [b"r%d" % number for number in range(20)]


def test_rubbish_behind_a_request_does_not_take_its_answer(world: World) -> None:
    status, headers, body = _exchange(world, _request(world, "GET /v1/health HTTP/1.1") + b"rubbish\r\n\r\n")
    assert (status, json.loads(body)) == (200, {"status": "healthy"})
    assert headers["connection"] == "close"


@pytest.mark.parametrize("value", ["x\r\nSet-Cookie: a=b", "x\nSet-Cookie: a=b", "x\x00y", "x\x7fy"])
def test_a_request_id_cannot_smuggle_header_lines(world: World, value: str) -> None:
    status, headers, body = _exchange(
        world, _request(world, "GET /v1/health HTTP/1.1", f"X-Request-ID: {value}", "X-End: 1")
    )
    assert "set-cookie" not in headers
    assert b"Set-Cookie" not in body
    assert status in (200, 400)
    assert "\x00" not in headers["x-request-id"]
