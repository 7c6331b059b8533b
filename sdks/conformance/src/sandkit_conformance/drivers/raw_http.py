"""Raw HTTP: the suite's own way to a server, which trusts nothing that comes back."""

from __future__ import annotations

import functools
import ssl
import time
from datetime import UTC, datetime
from typing import Final

import anyio
import httpx
from attrs import evolve

from sandkit_conformance.drivers.port import RAW_HTTP, Call, Exchange, TransportFailure

MAX_BODY: Final = 8 * 1024 * 1024
_STANDING_HEADERS: Final = (
    (b"accept", b"application/json"),
    (b"accept-encoding", b"identity"),
    (b"user-agent", b"sandkit-conformance"),
)
# Every call has a connection of its own. On one that was used before, whatever somebody else did to it would
# be told of this call: servers close idle connections after some seconds, and broken ones at once, and a pool
# may give one away that is just being closed.
_LIMITS: Final = httpx.Limits(max_connections=128, max_keepalive_connections=0)


class RawHttpDriver:
    """A `Driver` over httpx with explicit limits.

    No redirect is followed, no proxy or credential is taken from the environment, nothing is decompressed, a
    body ends at 8 MiB, and the call's time-out bounds the whole exchange however slowly the server drips.
    """

    name = RAW_HTTP

    def __init__(self, root: str) -> None:
        self._root = root.rstrip("/")
        # The transport alone: what a client lays over it (redirects, cookies, retries) is not wanted here.
        self._transport = httpx.AsyncHTTPTransport(verify=_trust(), limits=_LIMITS, trust_env=False)

    async def perform(self, call: Call) -> Exchange:
        """Send one call; see `Driver.perform`."""
        url = self._root + call.path
        empty = Exchange(
            call=call,
            url=url,
            at=_now(),
            started=time.monotonic(),
            ended=0.0,
            headers=(),
            body=b"",
            status=None,
        )
        received = _Received()
        failure: TransportFailure | None = None
        try:
            with anyio.fail_after(call.timeout):
                await self._stream(call, url, received)
        except TimeoutError:
            part = "no answer" if received.status is None else "an answer that did not end"
            failure = TransportFailure("timeout", f"{part} within {call.timeout:g} s")
        except _TooLargeError:
            failure = TransportFailure("too-large", f"a body of more than {MAX_BODY // 1024 // 1024} MiB")
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, ssl.SSLError, OSError) as error:
            failure = _translate(error, received)
        return evolve(
            empty,
            url=received.url or url,
            ended=time.monotonic(),
            status=received.status,
            headers=tuple(received.headers),
            body=bytes(received.body),
            failure=failure,
        )

    async def _stream(self, call: Call, url: str, received: _Received) -> None:
        target = httpx.URL(url, params=httpx.QueryParams(list(call.query))) if call.query else httpx.URL(url)
        received.url = str(target)
        request = httpx.Request(call.method, target, headers=_headers(call, target), content=call.content)
        response = await self._transport.handle_async_request(request)
        try:
            received.status = response.status_code
            received.headers = response.headers.multi_items()
            async for chunk in response.aiter_raw():
                received.body += chunk
                if len(received.body) > MAX_BODY:
                    raise _TooLargeError
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(1):
                await response.aclose()

    async def aclose(self) -> None:
        """Close the connection pool."""
        await self._transport.aclose()


@functools.cache
def _trust() -> ssl.SSLContext:
    """The certificates that are trusted; read once, as reading them takes longer than many a run."""
    return httpx.create_ssl_context(trust_env=False)


def _headers(call: Call, target: httpx.URL) -> list[tuple[bytes, bytes]]:
    given = {name.lower() for name, _ in call.headers}
    standing = [(name, value) for name, value in _STANDING_HEADERS if name.decode() not in given]
    return [
        (b"host", target.netloc),
        *standing,
        *((name.encode(), value.encode("utf-8")) for name, value in call.headers),
    ]


class _TooLargeError(Exception):
    """The body went past the limit."""


class _Received:
    """What has arrived so far, kept also when the exchange breaks off."""

    def __init__(self) -> None:
        self.url: str | None = None
        self.status: int | None = None
        self.headers: list[tuple[str, str]] = []
        self.body = bytearray()


def _translate(error: Exception, received: _Received) -> TransportFailure:
    if isinstance(error, httpx.ConnectError | httpx.UnsupportedProtocol | httpx.InvalidURL):
        return TransportFailure("unreachable", f"cannot connect: {str(error) or type(error).__name__}")
    if received.status is not None:
        return TransportFailure(
            "truncated", f"the connection broke after {len(received.body)} bytes of the body"
        )
    if isinstance(error, httpx.RemoteProtocolError | httpx.LocalProtocolError):
        return TransportFailure("protocol", f"not a proper HTTP answer: {error}")
    return TransportFailure(
        "protocol", f"the connection broke before an answer: {str(error) or type(error).__name__}"
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
