"""A whole server on free loopback ports, for as long as a ``with`` block lasts."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from sandkit_server.addresses import Addresses
from sandkit_server.settings import Settings
from sandkit_server.testing.subprocess import ServerProcess

if TYPE_CHECKING:
    from sandkit_server.main import Alterations

__all__ = ["EmbeddedServer"]


class _Running(Protocol):
    def start(self) -> Addresses: ...

    def stop(self) -> None: ...


class EmbeddedServer:
    """The real server, probe and control included, in a thread of this process or in a process of its own.

    Use it as a context manager, ``with`` or ``async with`` (asyncio), or call :meth:`start` and
    :meth:`stop`. Every start begins with an empty engine.

    Args:
        alter: Parts to replace, to build a server with a known defect; not together with ``subprocess``.
        subprocess: Run ``python -m sandkit_server serve`` instead of a thread, for tests that kill or
            measure it.
        log: File that gets what the ``subprocess`` prints; by default it prints where this process does.
        settings: Options, as :meth:`~sandkit_server.settings.Settings.of` takes them, that differ from what
            suits a test: free ports, random keys, two seconds of grace. ``api_key=None`` serves without a
            key, ``probe_port=None`` without a probe.

    Attributes:
        api_key: For the header OPEN-SANDBOX-API-KEY, or ``None``.
        probe_key: For the header SANDKIT-PROBE-KEY.
        control_key: For the header SANDKIT-CONTROL-KEY.

    Raises:
        SettingsError: on construction, for settings that contradict each other.
    """

    def __init__(
        self,
        *,
        alter: Alterations | None = None,
        subprocess: bool = False,
        log: Path | None = None,
        **settings: Any,
    ) -> None:
        chosen: dict[str, Any] = {
            "port": 0,
            "probe_port": 0,
            "control_port": 0,
            "api_key": secrets.token_urlsafe(),
            "probe_key": secrets.token_urlsafe(),
            "control_key": secrets.token_urlsafe(),
            "shutdown_grace": 2.0,
        }
        self._settings = Settings.of(**{**chosen, **settings})
        if subprocess and alter is not None:
            raise ValueError("parts can be altered in this process only; leave out subprocess or alter")
        self._alter = alter
        self._subprocess = subprocess
        self._log = log
        self._running: _Running | None = None
        self._addresses: Addresses | None = None
        self.api_key = self._settings.api_key
        self.probe_key = self._settings.probe_key
        self.control_key = self._settings.control_key

    def start(self) -> Self:
        """Start; returns when clients can connect.

        Raises:
            RuntimeError: it is running already, or did not start.
        """
        if self._running is not None:
            raise RuntimeError("this server is running already")
        running = ServerProcess(self._settings, self._log) if self._subprocess else self._thread()
        self._addresses = running.start()
        self._running = running
        return self

    def stop(self) -> None:
        """Stop in good order; nothing happens when it is not running."""
        running, self._running = self._running, None
        self._addresses = None
        if running is not None:
            running.stop()

    @property
    def base_url(self) -> str:
        """Address of the API, ending in ``/v1``."""
        return self._reached().base_url

    @property
    def probe_url(self) -> str | None:
        """Address of the probe."""
        return self._reached().probe_url

    @property
    def control_url(self) -> str | None:
        """Address of the control."""
        return self._reached().control_url

    @property
    def pid(self) -> int | None:
        """Process id of a server with ``subprocess``, else ``None``."""
        return self._running.pid if isinstance(self._running, ServerProcess) else None

    def _thread(self) -> _Running:
        # The server is imported where it runs.
        from sandkit_server.testing.thread import ServerThread

        return ServerThread(self._settings, self._alter)

    def _reached(self) -> Addresses:
        if self._addresses is None:
            raise RuntimeError("this server is not running; enter it with 'with', or call start()")
        return self._addresses

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.start)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)
