"""A harness on the network: the API, the agent and the control, until it is told to stop."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path

from sandkit_server.http.access_log import AccessLog
from sandkit_server.http.application import Application
from sandkit_server.http.authentication import KeyCheck
from sandkit_server.http.body import BodyReader
from sandkit_server.http.control import CONTROL_KEY_HEADER, control_routes
from sandkit_server.http.listener import Listener, bind
from sandkit_server.http.probe import PROBE_KEY_HEADER, probe_routes
from sandkit_server.http.routing import Route, Router
from sandkit_server.main import Alterations, build
from sandkit_server.settings import Settings
from sandkit_server.testing.control_plane.harness.engine import HarnessEngine

_LOOPBACK = "127.0.0.1"


async def serve(
    engine: HarnessEngine, settings: Settings, keys: tuple[str, str], ready_file: Path, stop: asyncio.Event
) -> None:
    """Serve until ``stop`` is set. ``keys`` are the probe's and the control's.

    ``ready_file`` gets the addresses as JSON once clients can connect.
    """
    server = build(settings, Alterations(engine=lambda _: engine))
    bodies = BodyReader(settings.max_body_bytes, settings.body_timeout)

    def beside(name: str, header: str, key: str, routes: list[Route]) -> Listener:
        application = Application(Router(routes), KeyCheck(header, key), bodies, AccessLog(name))
        return Listener(application, bind(_LOOPBACK, 0))

    api = Listener(server.app, bind(_LOOPBACK, settings.port))
    probe = beside("probe", PROBE_KEY_HEADER, keys[0], probe_routes(engine.probe()))
    control = beside("control", CONTROL_KEY_HEADER, keys[1], control_routes(engine.control(server.restart)))
    server.public_address = api.url.removeprefix("http://")
    server.on_kill = api.abort
    async with AsyncExitStack() as ending:
        await server.start()
        ending.push_async_callback(server.close)
        for listener in (probe, control, api):
            await listener.start()
            ending.push_async_callback(listener.stop, settings.shutdown_grace)
        addresses = {"baseUrl": f"{api.url}/v1", "probeUrl": probe.url, "controlUrl": control.url}
        draft = ready_file.with_suffix(".draft")
        draft.write_text(json.dumps(addresses), encoding="utf-8")
        draft.replace(ready_file)
        await stop.wait()
        server.drain()
