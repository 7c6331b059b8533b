"""The two connections a proxy joins, as HTTP messages: the client's and the one to the API server."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncGenerator
from contextlib import suppress
from ssl import SSLContext
from typing import Final

import h11

_PIECE: Final = 65_536
# Linger on, for no time: closing sends a reset instead of an orderly end.
_RESET: Final = struct.pack("ii", 1, 0)


class ClientGone(Exception):  # noqa: N818 - named for what happened
    """The client closed its connection, or broke the protocol."""


class UpstreamGone(Exception):  # noqa: N818 - named for what happened
    """The API server cannot be reached, or broke the connection in the middle."""


class Downstream:
    """A client's connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.SERVER)

    async def receive(self) -> tuple[h11.Request, bytes]:
        """The next request with its whole body. Raises ClientGone."""
        head: h11.Request | None = None
        body = bytearray()
        try:
            while True:
                event = self._http.next_event()
                if isinstance(event, h11.Request):
                    head = event
                elif isinstance(event, h11.Data):
                    body += event.data
                elif isinstance(event, h11.EndOfMessage):
                    assert head is not None, "a body follows its head"
                    return head, bytes(body)
                elif event is h11.NEED_DATA:
                    self._http.receive_data(await self._reader.read(_PIECE))
                else:
                    raise ClientGone
        except (h11.RemoteProtocolError, OSError) as error:
            raise ClientGone from error

    async def send(self, *events: h11.Event) -> None:
        """Send parts of the answer. Raises ClientGone."""
        try:
            for event in events:
                self._writer.write(self._http.send(event) or b"")
            await self._writer.drain()
        except OSError as error:
            raise ClientGone from error

    def next(self) -> None:
        """The answer is complete; the connection takes another request, if both sides keep it."""
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            raise ClientGone
        self._http.start_next_cycle()

    async def gone(self) -> None:
        """Return when the client has closed. To be used only while an answer is being sent."""
        # A client that has not got its answer sends nothing; whatever ends the reading is its end.
        with suppress(OSError):
            await self._reader.read(1)

    def reset(self) -> None:
        """Break the connection without an orderly end."""
        if not self._writer.transport.is_closing():
            self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._writer.transport.abort()

    def close(self) -> None:
        """Close in order."""
        self._writer.close()


class Upstream:
    """A kept connection to the API server, opened when it is first needed."""

    def __init__(self, host: str, port: int, tls: SSLContext | None) -> None:
        self._host = host
        self._port = port
        self._tls = tls
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._http = h11.Connection(h11.CLIENT)

    async def send(self, request: h11.Request, body: bytes) -> None:
        """Send a request. Raises UpstreamGone."""
        try:
            _, writer = await self._open()
            writer.write(self._http.send(request) or b"")
            if body:
                writer.write(self._http.send(h11.Data(data=body)) or b"")
            writer.write(self._http.send(h11.EndOfMessage()) or b"")
            await writer.drain()
        except OSError as error:
            raise UpstreamGone from error

    async def answer(self) -> AsyncGenerator[h11.Event, None]:
        """The answer as it arrives: a response, its data, the end. Raises UpstreamGone."""
        assert self._streams is not None, "send() opens it"
        reader, _ = self._streams
        try:
            while True:
                event = self._http.next_event()
                if event is h11.NEED_DATA:
                    self._http.receive_data(await reader.read(_PIECE))
                elif isinstance(event, h11.InformationalResponse):
                    continue
                elif isinstance(event, (h11.Response, h11.Data, h11.EndOfMessage)):
                    yield event
                    if isinstance(event, h11.EndOfMessage):
                        break
                else:
                    raise UpstreamGone
        except (h11.RemoteProtocolError, OSError) as error:
            raise UpstreamGone from error
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        else:
            self.close()

    def close(self) -> None:
        """Close; the next request opens it again."""
        if self._streams is not None:
            self._streams[1].close()
        self._streams = None
        self._http = h11.Connection(h11.CLIENT)

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is not None and (self._streams[0].at_eof() or self._streams[1].is_closing()):
            self.close()
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port, ssl=self._tls)
        return self._streams
