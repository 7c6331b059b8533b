"""One listening socket and the application behind it.

uvicorn's connections without uvicorn's server: several listeners share one event loop and one shutdown here,
signals belong to whoever runs the process, and a stop waits for events instead of polling for them.
"""

from __future__ import annotations

import asyncio
import socket
from email.utils import formatdate
from typing import Final

import uvicorn
from uvicorn.server import ServerState

from sandkit_server.http.application import Asgi
from sandkit_server.http.protocol import EnvelopeProtocol

__all__ = ["Listener", "bind", "url_of"]

_BACKLOG: Final = 2048
# Seconds an idle connection is kept; longer than the pause between two polls of a waiting client.
_KEEP_ALIVE: Final = 75
# Seconds cancelled requests get to answer before their connections are cut.
_LAST_WORDS: Final = 0.5


def bind(host: str, port: int) -> socket.socket:
    """A socket bound to ``host`` and ``port`` (0: any free one), not yet listening.

    Raises:
        OSError: the address is taken, not of this machine, or not permitted.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except BaseException:
        bound.close()
        raise
    return bound


def url_of(bound: socket.socket) -> str:
    """``http://host:port`` of a bound socket; a wildcard address is shown as this machine."""
    host, port = bound.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  (compared, not bound)
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


class Listener:
    """Serves an application on a bound socket from ``start`` to ``stop``.

    Attributes:
        url: Where clients reach it, without a path.
    """

    def __init__(self, application: Asgi, bound: socket.socket) -> None:
        self._application = application
        self._socket = bound
        self._state = ServerState()
        self._server: asyncio.Server | None = None
        self._date_timer: asyncio.TimerHandle | None = None
        self.url = url_of(bound)

    async def start(self) -> None:
        """Begin to accept connections; returns when clients can connect."""
        config = uvicorn.Config(
            self._application,
            http=EnvelopeProtocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            proxy_headers=False,
            server_header=False,
            access_log=False,
            log_config=None,
            timeout_keep_alive=_KEEP_ALIVE,
        )
        config.load()
        loop = asyncio.get_running_loop()
        self._set_date(loop)
        self._server = await loop.create_server(
            lambda: EnvelopeProtocol(config, self._state, {}, loop), sock=self._socket, backlog=_BACKLOG
        )

    async def stop(self, grace: float) -> None:
        """Stop accepting, let requests under way finish for ``grace`` seconds, then end them."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        await self._finish(grace)
        self.abort()
        if self._date_timer is not None:
            self._date_timer.cancel()
        self._socket.close()

    def abort(self) -> None:
        """Cut every connection at once, answered or not."""
        for connection in list(self._state.connections):
            if connection.transport is not None:
                connection.transport.abort()

    async def _finish(self, grace: float) -> None:
        if not self._state.tasks:
            return
        _, late = await asyncio.wait(self._state.tasks, timeout=grace)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=_LAST_WORDS)

    def _set_date(self, loop: asyncio.AbstractEventLoop) -> None:
        # RFC 9110, 6.6.1: an origin server with a clock sends the date; to the second is all it can say.
        self._state.default_headers = [(b"date", formatdate(usegmt=True).encode("ascii"))]
        self._date_timer = loop.call_later(1.0, self._set_date, loop)
