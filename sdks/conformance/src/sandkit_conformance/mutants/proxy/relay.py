"""The proxy itself: HTTP/1.1 on a free port of this machine, in front of one server."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import anyio
import h11
import httpx
from anyio.abc import SocketAttribute, SocketStream

from sandkit_conformance.mutants.proxy.exchange import Behaviour, Reply, Request

_CHUNK: Final = 65_536
# Of one connection, or made anew here.
_NOT_FORWARDED: Final = frozenset(
    {b"connection", b"keep-alive", b"transfer-encoding", b"content-length", b"host", b"upgrade"}
)
_WITHOUT_BODY: Final = frozenset({204, 304})

_log = logging.getLogger(__name__)


@asynccontextmanager
async def interposed(root: str, behaviour: Behaviour) -> AsyncIterator[str]:
    """Put a proxy in front of the server at `root`; gives its own address for as long as the block lasts."""
    relay = _Relay(root, behaviour)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    port = listener.extra(SocketAttribute.local_port)  # noqa: S610 - no Django here
    try:
        async with listener, anyio.create_task_group() as group:
            group.start_soon(listener.serve, relay.converse)
            yield f"http://127.0.0.1:{port}"
            group.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            await relay.aclose()


class _Relay:
    def __init__(self, root: str, behaviour: Behaviour) -> None:
        self._root = httpx.URL(root)
        self._behaviour = behaviour
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=32)
        self._transport = httpx.AsyncHTTPTransport(trust_env=False, limits=limits)

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def converse(self, stream: SocketStream) -> None:
        """Serve one connection to its end; whatever goes wrong ends this connection and nothing else."""
        async with stream:
            try:
                connection = _Connection(stream)
                while (request := await connection.receive()) is not None:
                    reply = await self._behaviour(request, self._forward)
                    if not await connection.send(request, reply):
                        return
            except (h11.ProtocolError, httpx.HTTPError, anyio.BrokenResourceError, OSError) as error:
                _log.debug("a connection through the proxy broke: %s", error)

    async def _forward(self, request: Request) -> Reply:
        outgoing = httpx.Request(
            request.method,
            self._root.copy_with(raw_path=request.target),
            headers=[(b"host", self._root.netloc), *request.headers],
            content=request.body or None,
        )
        response = await self._transport.handle_async_request(outgoing)
        try:
            body = b"".join([chunk async for chunk in response.aiter_raw()])
        finally:
            await response.aclose()
        headers = tuple((name.lower(), value) for name, value in response.headers.raw)
        return Reply(response.status_code, _forwarded(headers), body)


class _Connection:
    """One connection of a client."""

    def __init__(self, stream: SocketStream) -> None:
        self._stream = stream
        self._state = h11.Connection(h11.SERVER)

    async def receive(self) -> Request | None:
        """The next request, whole; None when there is no more."""
        if self._state.our_state is h11.DONE and self._state.their_state is h11.DONE:
            self._state.start_next_cycle()
        head: h11.Request | None = None
        body = bytearray()
        while True:
            event = self._state.next_event()
            if event is h11.NEED_DATA:
                await self._more()
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                headers = _forwarded(tuple((bytes(name), bytes(value)) for name, value in head.headers))
                return Request(head.method.decode("ascii"), bytes(head.target), headers, bytes(body))
            else:
                return None

    async def send(self, request: Request, reply: Reply) -> bool:
        """Send a reply; false when the connection is not to be used any more."""
        bodiless = reply.status in _WITHOUT_BODY or request.method == "HEAD"
        length = () if reply.status in _WITHOUT_BODY else ((b"content-length", b"%d" % len(reply.body)),)
        await self._send(h11.Response(status_code=reply.status, headers=[*reply.headers, *length]))
        if reply.cut is not None:
            await self._send(h11.Data(data=reply.body[: reply.cut]))
            return False
        if reply.body and not bodiless:
            await self._send(h11.Data(data=reply.body))
        await self._send(h11.EndOfMessage())
        return self._state.our_state is h11.DONE

    async def _more(self) -> None:
        try:
            self._state.receive_data(await self._stream.receive(_CHUNK))
        except anyio.EndOfStream:
            self._state.receive_data(b"")

    async def _send(self, event: h11.Event) -> None:
        data = self._state.send(event)
        if data:
            await self._stream.send(data)


def _forwarded(headers: tuple[tuple[bytes, bytes], ...]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((name, value) for name, value in headers if name not in _NOT_FORWARDED)
