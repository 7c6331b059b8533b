"""A server on the network: sockets, listeners, the ready file, and the order of starting and stopping."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandkit_server.addresses import Addresses
from sandkit_server.http.listener import Listener, bind, url_of
from sandkit_server.main import Alterations, Server, build
from sandkit_server.settings import Settings

__all__ = ["ListenError", "serve"]

_logger: Final = logging.getLogger("sandkit_server.serving")

# Probe and control are never offered beyond this machine.
_LOOPBACK: Final = "127.0.0.1"


class ListenError(OSError):
    """An address cannot be had; the text says which and what to do. Nothing was started."""

    def __init__(self, host: str, port: int, cause: OSError) -> None:
        reason = {
            errno.EADDRINUSE: "the address is taken; stop the other server or choose another port",
            errno.EADDRNOTAVAIL: "this machine has no such address",
            errno.EACCES: "the system does not permit it; choose a port above 1023",
        }.get(cause.errno or 0, cause.strerror or str(cause))
        super().__init__(f"cannot listen on {host} port {port}: {reason}")


@dataclass(frozen=True, slots=True)
class _Sockets:
    """What the listeners listen on.

    All bound before anything is built, so that a taken port leaves nothing behind.
    """

    api: socket.socket
    probe: socket.socket | None
    control: socket.socket | None

    @classmethod
    def bind(cls, settings: Settings, held: ExitStack) -> _Sockets:
        def taken(host: str, port: int) -> socket.socket:
            try:
                return held.enter_context(bind(host, port))
            except OSError as trouble:
                raise ListenError(host, port, trouble) from trouble

        return cls(
            api=taken(settings.host, settings.port),
            probe=None if settings.probe_port is None else taken(_LOOPBACK, settings.probe_port),
            control=None if settings.control_port is None else taken(_LOOPBACK, settings.control_port),
        )

    def addresses(self) -> Addresses:
        return Addresses(
            base_url=url_of(self.api) + "/v1",
            probe_url=None if self.probe is None else url_of(self.probe),
            control_url=None if self.control is None else url_of(self.control),
        )


async def serve(
    settings: Settings,
    stop: asyncio.Event,
    on_ready: Callable[[Addresses], None],
    alter: Alterations | None = None,
) -> None:
    """Serve until ``stop`` is set, then end in good order, within about twice ``settings.shutdown_grace``.

    ``on_ready`` is called once clients can connect.

    Raises:
        ListenError: an address is taken, not of this machine, or not permitted; nothing was started.
    """
    with ExitStack() as held:
        sockets = _Sockets.bind(settings, held)
        addresses = sockets.addresses()
        server = build(settings, alter)
        if settings.public_address is None:
            server.public_address = addresses.base_url.removeprefix("http://").removesuffix("/v1")
        api = Listener(server.app, sockets.api)
        beside = [
            Listener(app, bound)
            for app, bound in ((server.probe_app, sockets.probe), (server.control_app, sockets.control))
            if app is not None and bound is not None
        ]
        server.on_kill = api.abort
        await server.start()
        try:
            for listener in (api, *beside):
                await listener.start()
            if settings.ready_file is not None:
                _announce(settings.ready_file, addresses)
            on_ready(addresses)
            await stop.wait()
        finally:
            await _end(server, api, beside, settings.shutdown_grace)


async def _end(server: Server, api: Listener, beside: list[Listener], grace: float) -> None:
    server.drain()
    await api.stop(grace)
    for listener in beside:
        await listener.stop(0)
    try:
        async with asyncio.timeout(max(grace, 1.0)):
            await server.close()
    except TimeoutError:
        _logger.warning("the runtime did not close in time; a restart will finish what it left")


def _announce(path: Path, addresses: Addresses) -> None:
    """Write the ready file whole or not at all: whoever waits for it may read it as soon as it is there."""
    content = {
        "baseUrl": addresses.base_url,
        "probeUrl": addresses.probe_url,
        "controlUrl": addresses.control_url,
        "pid": os.getpid(),
    }
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(content) + "\n", encoding="utf-8")
    draft.replace(path)
