"""Raw HTTP: the suite's own way to a server, which trusts nothing that comes back."""

from __future__ import annotations

import asyncio
import functools
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final
from urllib.parse import SplitResult, quote, urlencode, urlsplit

import certifi
import h11

from sandkit_conformance.drivers.port import RAW_HTTP, Call, Exchange, FailureKind, TransportFailure

MAX_BODY: Final = 8 * 1024 * 1024
_MAX_HEAD: Final = 100 * 1024
_STANDING_HEADERS: Final = (
    (b"Accept", b"application/json"),
    (b"Accept-Encoding", b"identity"),
    (b"Connection", b"close"),
    (b"User-Agent", b"sandkit-conformance"),
)
_PORTS: Final = {"http": 80, "https": 443}
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
# What can stand in a request line stays as the scenario has it: encoded slashes, dots, stray signs.
_SENT_AS_IT_IS: Final = "".join(map(chr, range(0x21, 0x7F)))


class RawHttpDriver:
    """A `Driver` over h11 with explicit limits.

    Every call has a connection of its own: on one that was used before, whatever somebody else did to it
    would be told of this call. No redirect is followed, no proxy or credential is taken from the environment,
    nothing is decompressed, a body ends at 8 MiB, and the call's time-out bounds the whole exchange however
    slowly the server drips.
    """

    name = RAW_HTTP

    def __init__(self, root: str) -> None:
        self._root = root.rstrip("/")

    async def perform(self, call: Call) -> Exchange:
        """Send one call; see `Driver.perform`."""
        url = self._root + quote(call.path, safe=_SENT_AS_IT_IS)
        if call.query:
            url += ("&" if "?" in url else "?") + urlencode(call.query, quote_via=quote)
        at, started = _now(), time.monotonic()
        answer = _Answer()
        try:
            async with asyncio.timeout(call.timeout):
                failure = await _fetch(call, urlsplit(url), answer)
        except TimeoutError:
            part = "no answer" if answer.status is None else "an answer that did not end"
            failure = TransportFailure("timeout", f"{part} within {call.timeout:g} s")
        return Exchange(
            call=call,
            url=url,
            at=at,
            started=started,
            ended=time.monotonic(),
            status=answer.status,
            headers=tuple(answer.headers),
            body=bytes(answer.body),
            failure=failure,
        )

    async def aclose(self) -> None:
        """Nothing is kept open between calls."""


async def _fetch(call: Call, address: SplitResult, answer: _Answer) -> TransportFailure | None:
    """Connect, send, and let the answer arrive; gives the reason why it is not complete."""
    if address.scheme not in _PORTS or not address.hostname:
        return TransportFailure("unreachable", f"cannot connect: {address.geturl()} is no http(s) address")
    try:
        port = address.port or _PORTS[address.scheme]
        host = address.netloc.rpartition("@")[2].encode("ascii")
        trust = _trust() if address.scheme == "https" else None
        transport, _ = await asyncio.get_running_loop().create_connection(
            lambda: answer, address.hostname, port, ssl=trust
        )
    except (OSError, ValueError) as error:
        return TransportFailure("unreachable", f"cannot connect: {str(error) or type(error).__name__}")
    target = (address.path or "/") + (f"?{address.query}" if address.query else "")
    try:
        transport.writelines(answer.request(call, target, host))
        return await answer.ended
    except h11.LocalProtocolError as error:
        return TransportFailure("protocol", f"cannot be sent over HTTP: {error}")
    finally:
        transport.abort()


class _Answer(asyncio.Protocol):
    """What has arrived so far, kept also when the exchange breaks off. `ended` tells the reason if it did."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.headers: list[tuple[str, str]] = []
        self.body = bytearray()
        self.ended: asyncio.Future[TransportFailure | None] = asyncio.get_running_loop().create_future()
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD)

    def request(self, call: Call, target: str, host: bytes) -> Iterator[bytes]:
        """The bytes to send.

        Raises:
            h11.LocalProtocolError: HTTP has no way to say this.
        """
        yield self._http.send(h11.Request(method=call.method, target=target, headers=_headers(call, host)))
        if call.content:
            yield self._http.send(h11.Data(data=call.content))
        yield self._http.send(h11.EndOfMessage())

    def data_received(self, data: bytes) -> None:
        """Called by the transport."""
        self._http.receive_data(data)
        self._read()

    def eof_received(self) -> None:
        """Called by the transport."""
        self._http.receive_data(b"")
        self._read()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the transport."""
        self._break_off("protocol", f"the connection broke before an answer: {exc}")

    def _read(self) -> None:
        try:
            while not self.ended.done():
                event = self._http.next_event()
                if isinstance(event, h11.Response):
                    self.status = event.status_code
                    self.headers = [(name.decode(), value.decode("latin-1")) for name, value in event.headers]
                elif isinstance(event, h11.Data):
                    self._add(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    self.ended.set_result(None)
                elif not isinstance(event, h11.InformationalResponse):
                    return
        except h11.RemoteProtocolError as error:
            nothing = self._http.trailing_data == (b"", True)
            why = "the server closed the connection without a response" if nothing else error
            self._break_off("protocol", f"not a proper HTTP answer: {why}")

    def _add(self, data: bytes) -> None:
        self.body += data
        if len(self.body) > MAX_BODY:
            text = f"a body of more than {MAX_BODY // 1024 // 1024} MiB"
            self.ended.set_result(TransportFailure("too-large", text))

    def _break_off(self, kind: FailureKind, why: str) -> None:
        if self.ended.done():
            return
        if self.status is not None:
            kind, why = "truncated", f"the connection broke after {len(self.body)} bytes of the body"
        self.ended.set_result(TransportFailure(kind, why))


@functools.cache
def _trust() -> ssl.SSLContext:
    """The certificates that are trusted; read once, as reading them takes longer than many a run."""
    return ssl.create_default_context(cafile=certifi.where())


def _headers(call: Call, host: bytes) -> list[tuple[bytes, bytes]]:
    given = {name.lower() for name, _ in call.headers}
    standing = [(b"Host", host), *_STANDING_HEADERS]
    if "transfer-encoding" not in given and (call.content is not None or call.method in _WITH_BODY):
        standing.append((b"Content-Length", str(len(call.content or b"")).encode()))
    return [
        *((name, value) for name, value in standing if name.decode().lower() not in given),
        *((name.encode(), value.encode("utf-8")) for name, value in call.headers),
    ]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
