"""A server in a thread of this process, on an event loop of its own."""

from __future__ import annotations

import asyncio
import threading

from sandkit_server.addresses import Addresses
from sandkit_server.event_loop import loop_factory
from sandkit_server.main import Alterations
from sandkit_server.serving import serve
from sandkit_server.settings import Settings

__all__ = ["ServerThread"]


class ServerThread:
    """Serves once, from ``start`` to ``stop``."""

    def __init__(self, settings: Settings, alter: Alterations | None) -> None:
        self._settings = settings
        self._alter = alter
        self._thread = threading.Thread(target=self._run, name="sandkit-server", daemon=True)
        self._settled = threading.Event()
        self._addresses: Addresses | None = None
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    def start(self) -> Addresses:
        """Start and wait until clients can connect.

        Raises:
            RuntimeError: it failed instead; the cause is chained.
        """
        self._thread.start()
        self._settled.wait()
        if self._addresses is None:
            self._thread.join()
            raise RuntimeError("the server did not start") from self._failure
        return self._addresses

    def stop(self) -> None:
        """Let requests under way finish, and wait until the thread has ended.

        Raises:
            RuntimeError: the server failed while it ran or ended; the cause is chained.
        """
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        if self._failure is not None:
            raise RuntimeError("the server failed") from self._failure

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                runner.run(self._serve())
        except BaseException as failure:  # noqa: BLE001  (told to the thread that waits)
            self._failure = failure
        finally:
            self._settled.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        await serve(self._settings, self._stop, self._ready, self._alter)

    def _ready(self, addresses: Addresses) -> None:
        self._addresses = addresses
        self._settled.set()
