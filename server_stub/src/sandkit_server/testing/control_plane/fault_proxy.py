"""A proxy in front of the API server that does to requests and watches what a test tells it to.

It speaks plain HTTP on loopback, so that it sees the requests, and TLS to the API server. Identities need a
token, since a client certificate ends where TLS ends. Everything is bounded: a fault strikes a stated number
of times, and of the past only the latest requests are kept.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

import h11

from sandkit_server.kubernetes.connection import tls
from sandkit_server.testing.control_plane import faults
from sandkit_server.testing.control_plane.exchange import ClientGone, Downstream, Upstream, UpstreamGone
from sandkit_server.testing.control_plane.faults import Delay, Fault, Gate, Injection, Match, Refuse, Reset
from sandkit_server.testing.control_plane.identities import Address

_REMEMBERED: Final = 10_000
_EVERYTHING: Final = Match()
_ANY_WATCH: Final = Match(verbs=frozenset({"watch"}))


class _Watch:
    """An open watch on its way through."""

    def __init__(self, request: faults.Request, client: Downstream, held: bool) -> None:
        self.request = request
        self.client = client
        self.flowing = asyncio.Event()
        if not held:
            self.flowing.set()


class FaultProxy:
    """An async context manager; everything is called in the event loop it was entered in.

    Attributes:
        requests: The latest requests that arrived, oldest first.
    """

    def __init__(self, upstream: Address) -> None:
        """Listen not yet; ``upstream`` is where the API server is."""
        self._upstream = upstream
        self._tls = tls(authority=upstream.authority)
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._injections: list[Injection] = []
        self._holding: list[Match] = []
        self._watches: set[_Watch] = set()
        self.requests: deque[faults.Request] = deque(maxlen=_REMEMBERED)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None, "entered"
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    @property
    def address(self) -> Address:
        """Where clients connect instead of to the API server."""
        assert self._server is not None, "entered"
        port = self._server.sockets[0].getsockname()[1]
        return Address(server=f"http://127.0.0.1:{port}", authority=self._upstream.authority)

    # --- what a test does -------------------------------------------------------------------------------

    def inject(
        self, fault: Fault, match: Match = _EVERYTHING, *, times: int = 1, skipped: int = 0
    ) -> Injection:
        """Let ``fault`` strike the next ``times`` requests that match, after ``skipped`` of them.

        Of several faults that would strike a request, the one injected first does. Raises ValueError for a
        number of times below 1.
        """
        injection = Injection(fault, match, times=times, skipped=skipped)
        self._injections.append(injection)
        return injection

    def clear(self) -> None:
        """Take back what has not struck, and open every gate."""
        for injection in self._injections:
            if isinstance(injection.fault, Gate):
                injection.fault.opened.set()
        self._injections.clear()

    def cut_watches(self, match: Match = _ANY_WATCH) -> int:
        """Break the watches that are open; gives how many."""
        struck = [watch for watch in self._watches if match.fits(watch.request)]
        for watch in struck:
            watch.client.reset()
            watch.flowing.set()
        return len(struck)

    @contextmanager
    def stale_watches(self, match: Match = _ANY_WATCH) -> Iterator[None]:
        """Hold back what watches tell, of those open and those to come, until the block ends."""
        self._holding.append(match)
        for watch in self._watches:
            if match.fits(watch.request):
                watch.flowing.clear()
        try:
            yield
        finally:
            self._holding.remove(match)
            for watch in self._watches:
                if not self._held(watch.request):
                    watch.flowing.set()

    # --- inside -----------------------------------------------------------------------------------------

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(Downstream(reader, writer)))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, client: Downstream) -> None:
        url = urlsplit(self._upstream.server)
        upstream = Upstream(url.hostname or "", url.port or 443, self._tls)
        try:
            while True:
                head, body = await client.receive()
                await self._exchange(client, upstream, head, body)
                client.next()
        except ClientGone:
            client.close()
        except UpstreamGone:
            client.reset()
        finally:
            upstream.close()
            client.close()

    async def _exchange(self, client: Downstream, upstream: Upstream, head: h11.Request, body: bytes) -> None:
        headers = {name.decode("ascii"): value.decode("latin-1") for name, value in head.headers}
        request = faults.describe(
            head.method.decode("ascii"), head.target.decode("ascii"), headers.get("user-agent", "")
        )
        self.requests.append(request)
        fault = self._fault(request)
        if isinstance(fault, Delay):
            await asyncio.sleep(fault.seconds)
        if isinstance(fault, Gate) and not fault.reached:
            await self._wait(client, fault)
        if not isinstance(fault, (Refuse, Reset)) or fault.reached:
            await upstream.send(head, body)
            if request.verb == "watch":
                await self._pass_on_watch(client, upstream, request)
                return
        await self._answer(client, upstream, fault)

    async def _answer(self, client: Downstream, upstream: Upstream, fault: Fault | None) -> None:
        """Give the client the API server's answer, or what the fault makes of it."""
        events: list[h11.Event] = []
        if not isinstance(fault, (Refuse, Reset)) or fault.reached:
            async with aclosing(upstream.answer()) as answer:
                events = [event async for event in answer]
        if isinstance(fault, Gate) and fault.reached:
            await self._wait(client, fault)
        if isinstance(fault, Reset):
            client.reset()
            raise ClientGone
        await client.send(*(_refusal(fault) if isinstance(fault, Refuse) else events))

    async def _wait(self, client: Downstream, gate: Gate) -> None:
        """Wait at a gate. Raises ClientGone if the client did not live to see it open."""
        gone = asyncio.ensure_future(client.gone())
        opened = asyncio.ensure_future(gate.opened.wait())
        try:
            gate.kept.set()
            await asyncio.wait((gone, opened), return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                gate.abandoned.set()
                raise ClientGone
        finally:
            gone.cancel()
            opened.cancel()
            await asyncio.gather(gone, opened, return_exceptions=True)

    async def _pass_on_watch(self, client: Downstream, upstream: Upstream, request: faults.Request) -> None:
        watch = _Watch(request, client, self._held(request))
        self._watches.add(watch)
        relay = asyncio.ensure_future(self._relay(client, upstream, watch))
        gone = asyncio.ensure_future(client.gone())
        try:
            await asyncio.wait((relay, gone), return_when=asyncio.FIRST_COMPLETED)
            if not relay.done():
                raise ClientGone
            relay.result()
        finally:
            self._watches.discard(watch)
            relay.cancel()
            gone.cancel()
            await asyncio.gather(relay, gone, return_exceptions=True)

    async def _relay(self, client: Downstream, upstream: Upstream, watch: _Watch) -> None:
        async with aclosing(upstream.answer()) as answer:
            async for event in answer:
                if isinstance(event, h11.Data):
                    await watch.flowing.wait()
                await client.send(event)

    def _fault(self, request: faults.Request) -> Fault | None:
        for injection in self._injections:
            if injection.strikes(request):
                return injection.fault
        return None

    def _held(self, request: faults.Request) -> bool:
        return any(match.fits(request) for match in self._holding)


def _refusal(fault: Refuse) -> list[h11.Event]:
    status = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": fault.status,
        "reason": fault.reason,
        "message": fault.message,
    }
    body = json.dumps(status).encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **fault.headers}
    return [
        h11.Response(status_code=fault.status, headers=list(headers.items())),
        h11.Data(data=body),
        h11.EndOfMessage(),
    ]
