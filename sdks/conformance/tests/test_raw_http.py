"""Servers that misbehave on the wire: every one of them ends as a named failure, in time."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from sandkit_conformance.drivers import raw_http
from sandkit_conformance.drivers.port import Call, Exchange
from sandkit_conformance.drivers.raw_http import MAX_BODY, RawHttpDriver
from sandkit_conformance.scenario.paths import NOTHING

from .tiny_server import Handler, Misbehaviour, tiny_server


def hang(handler: Handler) -> bool:
    return handler.server.world.released.wait(30) or True


def drip(handler: Handler) -> bool:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    while not handler.server.world.released.wait(0.05):
        handler.wfile.write(b" ")
        handler.wfile.flush()
    return True


def truncate(handler: Handler) -> bool:
    handler.raw(200, b'{"items": [', {"Content-Type": "application/json"}, length=100)
    return True


def html(handler: Handler) -> bool:
    handler.raw(502, b"<html>Bad Gateway</html>", {"Content-Type": "text/html"})
    return True


def redirect(handler: Handler) -> bool:
    handler.raw(307, b"", {"Location": "http://127.0.0.1:1/elsewhere"})
    return True


def garbage(handler: Handler) -> bool:
    handler.wfile.write(b"\x16\x03\x01 this is not HTTP\r\n\r\n")
    handler.close_connection = True
    return True


def flood(handler: Handler) -> bool:
    handler.send_response(200)
    handler.end_headers()
    try:
        while not handler.server.world.released.is_set():
            handler.wfile.write(b"x" * 1024 * 1024)
    except OSError:
        pass
    handler.close_connection = True
    return True


async def ask(misbehave: Misbehaviour, seconds: float = 5.0) -> Exchange:
    with tiny_server(misbehave) as server:
        driver = RawHttpDriver(server.url)
        try:
            return await driver.perform(Call("GET", "/v1/sandboxes", seconds))
        finally:
            await driver.aclose()


@pytest.mark.parametrize(
    ("misbehave", "kind", "message"),
    [
        (hang, "timeout", "no answer within 0.4 s"),
        (drip, "timeout", "an answer that did not end within 0.4 s"),
        (truncate, "truncated", "broke after 11 bytes"),
        (garbage, "protocol", "not a proper HTTP answer"),
        (Handler.slam, "protocol", "not a proper HTTP answer"),
    ],
)
async def test_a_broken_exchange_has_a_name(misbehave: Misbehaviour, kind: str, message: str) -> None:
    started = time.monotonic()
    exchange = await ask(misbehave, seconds=0.4 if kind == "timeout" else 20.0)
    assert exchange.failure is not None
    assert (exchange.failure.kind, message in exchange.failure.message) == (kind, True), exchange.failure
    assert not exchange.ok
    assert time.monotonic() - started < 15


async def test_a_body_without_end_is_cut_off() -> None:
    exchange = await ask(flood)
    assert exchange.failure is not None
    assert exchange.failure.kind == "too-large"
    assert len(exchange.body) <= MAX_BODY + 2 * 1024 * 1024


async def test_nobody_there_is_unreachable() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    driver = RawHttpDriver(f"http://127.0.0.1:{port}")
    exchange = await driver.perform(Call("GET", "/v1/health", 2.0))
    await driver.aclose()
    assert exchange.failure is not None
    assert exchange.failure.kind == "unreachable"


async def test_html_is_an_answer_without_json() -> None:
    exchange = await ask(html)
    assert (exchange.status, exchange.failure, exchange.json, exchange.code) == (502, None, NOTHING, None)


async def test_a_redirect_is_an_answer_and_not_followed() -> None:
    exchange = await ask(redirect)
    assert (exchange.status, exchange.header_map["location"]) == (307, "http://127.0.0.1:1/elsewhere")


async def test_what_is_sent_is_what_was_asked_for() -> None:
    seen: dict[str, object] = {}

    def record(handler: Handler) -> bool:
        seen.update(path=handler.path, key=handler.headers["X-Key"], body=handler.content)
        return False

    with tiny_server(record) as server:
        driver = RawHttpDriver(server.url)
        query = (("state", "Running"), ("state", "Paused"), ("metadata", "a=b&c=d"))
        call = Call("POST", "/v1/x%2Fy/%2E%2E", 2.0, query=query, headers=(("X-Key", "ü"),), content=b"{")
        await driver.perform(call)
        await driver.aclose()
    assert seen["path"] == "/v1/x%2Fy/%2E%2E?state=Running&state=Paused&metadata=a%3Db%26c%3Dd"
    assert seen["body"] == b"{"


async def test_deep_json_is_not_json() -> None:
    def deep(handler: Handler) -> bool:
        handler.raw(200, b"[" * 200_000, {"Content-Type": "application/json"})
        return True

    assert (await ask(deep)).json is NOTHING


async def test_every_call_has_a_connection_of_its_own() -> None:
    callers: list[int] = []

    def note(handler: Handler) -> bool:
        callers.append(handler.client_address[1])
        return False

    with tiny_server(note) as server:
        driver = RawHttpDriver(server.url)
        for _ in range(5):
            assert (await driver.perform(Call("GET", "/v1/health", 5.0))).ok
        await driver.aclose()
    assert len(set(callers)) == 5


async def test_an_answer_before_the_end_of_the_request_is_heard() -> None:
    """A server refuses a long body after the head, and never reads the rest of it."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        await released.wait()
        writer.close()

    released = asyncio.Event()
    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    driver = RawHttpDriver(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    exchange = await driver.perform(Call("POST", "/v1/sandboxes", 5.0, content=b"x" * 64 * 1024 * 1024))
    released.set()
    server.close()
    assert (exchange.status, exchange.failure) == (413, None)


@pytest.mark.parametrize(
    ("root", "message"),
    [
        ("ftp://127.0.0.1", "is no http(s) address"),
        ("http://", "is no http(s) address"),
        ("http://127.0.0.1:99999", "Port out of range"),
    ],
)
async def test_what_is_no_address_is_unreachable(root: str, message: str) -> None:
    exchange = await RawHttpDriver(root).perform(Call("GET", "/v1/health", 2.0))
    assert exchange.failure is not None
    assert (exchange.failure.kind, message in exchange.failure.message) == ("unreachable", True)


async def test_what_http_cannot_say_is_not_sent() -> None:
    with tiny_server() as server:
        driver = RawHttpDriver(server.url)
        exchange = await driver.perform(
            Call("GET", "/v1/health", 2.0, headers=(("X-Two", "a\r\nX-Three: b"),))
        )
        assert server.world.requests == []
    assert exchange.failure is not None
    assert "cannot be sent over HTTP" in exchange.failure.message


@asynccontextmanager
async def answering(
    answer: bytes, *, then: str = "close", tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that answers every head with these bytes; gives its address and the heads it was sent."""
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        await writer.drain()
        if then == "reset":
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        elif then == "stay":
            await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", heads


async def test_the_head_says_what_the_scenario_says_and_little_else() -> None:
    async with answering(b"HTTP/1.1 204 No Content\r\nX-Word: caf\xe9\r\n\r\n") as (address, heads):
        driver = RawHttpDriver(f"http://user:word@{address}/below")
        headers = (("accept", "text/plain"), ("X-Key", "k"))
        call = Call("POST", "/v1/pools?a=1", 5.0, query=(("b", "2"),), headers=headers)
        exchange = await driver.perform(call)
    assert (exchange.status, exchange.header_map["x-word"]) == (204, "café")
    assert heads[0].decode().splitlines()[:-1] == [
        "POST /below/v1/pools?a=1&b=2 HTTP/1.1",
        f"Host: {address}",
        "Accept-Encoding: identity",
        "Connection: close",
        "User-Agent: sandkit-conformance",
        "Content-Length: 0",
        "accept: text/plain",
        "X-Key: k",
    ]


@pytest.mark.parametrize(
    ("answer", "then", "message"),
    [
        (b"", "reset", "the connection broke before an answer"),
        (b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 200_000, "stay", "not a proper HTTP answer: "),
    ],
    ids=["reset", "a head without end"],
)
async def test_a_head_that_does_not_come_has_a_name(answer: bytes, then: str, message: str) -> None:
    async with answering(answer, then=then) as (address, _):
        exchange = await RawHttpDriver(f"http://{address}").perform(Call("GET", "/v1/health", 2.0))
    assert exchange.failure is not None
    assert (exchange.failure.kind, message in exchange.failure.message) == ("protocol", True), exchange


async def test_tls_is_spoken_with_whom_is_trusted_and_nobody_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    certificate = _self_signed(tmp_path / "server.pem")
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(certificate)
    call = Call("GET", "/v1/health", 5.0)
    async with answering(b"HTTP/1.1 204 No Content\r\n\r\n", tls=serving) as (address, _):
        driver = RawHttpDriver(f"https://{address}")
        stranger = await driver.perform(call)
        monkeypatch.setattr(raw_http, "_trust", lambda: ssl.create_default_context(cafile=certificate))
        known = await driver.perform(call)
    assert stranger.failure is not None
    assert stranger.failure.kind == "unreachable"
    assert "certificate verify failed" in stranger.failure.message
    assert (known.status, known.failure) == (204, None)


def _self_signed(file: Path) -> Path:
    """A key and a certificate for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(secret + certificate.public_bytes(Encoding.PEM))
    return file
