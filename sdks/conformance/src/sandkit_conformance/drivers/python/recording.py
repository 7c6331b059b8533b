"""Watches what the SDK sends: exactly what was asked for and once, or nothing at all."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, Final
from urllib.parse import unquote

import httpx
from attrs import define, field

from sandkit_conformance.drivers.sameness import same_json

# What the SDK says although the caller has not, and the server takes for granted anyway.
_DEFAULT_QUERY: Final = {("page", "1")}


class InexpressibleError(Exception):
    """The SDK would send something else than what was asked for."""


@define
class Recording:
    """One call: what is to be sent, and what came back."""

    asked: Mapping[str, Any]
    sent: bool = False
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytearray = field(factory=bytearray)

    def admit(self, request: httpx.Request) -> None:
        """Let the first request go if it is the one asked for; later ones never.

        Raises:
            InexpressibleError: it is another one.
            httpx.ConnectError: it is a second one, such as a retry or a look at how things stand.
        """
        if self.sent:
            raise httpx.ConnectError("the driver sends one request per call", request=request)
        differs = self._difference(request)
        if differs:
            raise InexpressibleError(f"the SDK would send {differs}")
        self.sent = True

    def _difference(self, request: httpx.Request) -> str | None:
        asked = self.asked
        if request.method != asked["method"]:
            return f"{request.method} instead of {asked['method']}"
        if unquote(request.url.path) != unquote(asked["path"]) or request.url.fragment:
            return "another path"
        query = {(name, value) for name, value in asked["query"]}
        sent = Counter(request.url.params.multi_items())
        wanted = Counter((name, value) for name, value in asked["query"])
        if sent != wanted and Counter(dict.fromkeys(_DEFAULT_QUERY - query, 1)) + wanted != sent:
            return "another query"
        for name, header in (("idempotencyKey", "idempotency-key"), ("requestId", "x-request-id")):
            if name in asked and request.headers.get(header) != asked[name]:
                return f"another {header}"
        body = json.loads(request.content) if request.content else None
        if ("body" in asked) != bool(request.content) or not same_json(body, asked.get("body")):
            return "another body"
        return None


CURRENT: Final[ContextVar[Recording]] = ContextVar("CURRENT")


class _Tee(httpx.SyncByteStream):
    """Keeps a copy of what is read."""

    def __init__(self, stream: httpx.SyncByteStream, recording: Recording) -> None:
        self._stream = stream
        self._recording = recording

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._stream:
            self._recording.body += piece
            yield piece

    def close(self) -> None:
        self._stream.close()


class _AsyncTee(httpx.AsyncByteStream):
    """The same for an event loop."""

    def __init__(self, stream: httpx.AsyncByteStream, recording: Recording) -> None:
        self._stream = stream
        self._recording = recording

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._stream:
            self._recording.body += piece
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()


class RecordingTransport(httpx.BaseTransport):
    """A transport that keeps account for the call of the current context."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send what was asked for, and record the answer."""
        recording = CURRENT.get()
        recording.admit(request)
        response = self._inner.handle_request(request)
        recording.status, recording.headers = response.status_code, tuple(response.headers.multi_items())
        assert isinstance(response.stream, httpx.SyncByteStream)
        response.stream = _Tee(response.stream, recording)
        return response

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()


class AsyncRecordingTransport(httpx.AsyncBaseTransport):
    """The same for an event loop."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send what was asked for, and record the answer."""
        recording = CURRENT.get()
        recording.admit(request)
        response = await self._inner.handle_async_request(request)
        recording.status, recording.headers = response.status_code, tuple(response.headers.multi_items())
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _AsyncTee(response.stream, recording)
        return response

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()
