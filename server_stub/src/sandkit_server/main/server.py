"""One server, put together from its parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from sandkit_server.core.ports import Ports
from sandkit_server.core.service import LifecycleService
from sandkit_server.http.access_log import AccessLog
from sandkit_server.http.application import Application, Asgi
from sandkit_server.http.authentication import API_KEY_HEADER, KeyCheck
from sandkit_server.http.body import BodyReader
from sandkit_server.http.handlers import Handlers, Identity
from sandkit_server.http.operations import BASES, operation_routes
from sandkit_server.http.proxy import proxy_routes
from sandkit_server.http.routing import Router
from sandkit_server.main.engine import Engine, Runtime
from sandkit_server.main.selection import engine_of
from sandkit_server.settings import Settings

__all__ = ["Alterations", "Server", "build", "version"]


def _same_ports(ports: Ports) -> Ports:
    return ports


def _same_service(service: LifecycleService) -> LifecycleService:
    return service


def _same_app(app: Asgi) -> Asgi:
    return app


@dataclass(frozen=True, slots=True)
class Alterations:
    """What a test replaces in an otherwise ordinary server, to see whether somebody notices.

    Each is called with the part the server would have used and returns the part to use: ``app`` once,
    ``ports`` and ``service`` for every composition, so again after a restart. ``engine`` makes the engine
    that the settings name.
    """

    ports: Callable[[Ports], Ports] = _same_ports
    service: Callable[[LifecycleService], LifecycleService] = _same_service
    app: Callable[[Asgi], Asgi] = _same_app
    engine: Callable[[Settings], Engine] = engine_of


class Server:
    """One server over one engine: its applications, and what happens to the parts behind them.

    The engine is the world and outlives a restart; the runtime and its service are the server, made anew by
    one.

    Attributes:
        app: ASGI application of the API, as altered.
        probe_app: ASGI application of the probe, or ``None`` where there is none.
        control_app: Likewise of the control.
        public_address: ``host:port`` under which clients reach the API; part of the endpoints it tells.
        on_kill: Called when the control kills the server, before anything else: cuts the API's connections.
    """

    def __init__(self, settings: Settings, alter: Alterations) -> None:
        self._settings = settings
        self._alter = alter
        self._keys = KeyCheck(API_KEY_HEADER, settings.api_key)
        self._bodies = BodyReader(settings.max_body_bytes, settings.body_timeout)
        self._engine = alter.engine(settings)
        self._runtime: Runtime | None = None
        self.public_address = settings.public_address or f"{settings.host}:{settings.port}"
        self.on_kill: Callable[[], None] = lambda: None
        self._api = Application(Router(()), self._keys, self._bodies, AccessLog("api"))
        self.app: Asgi = alter.app(self._api)
        self.probe_app = self._probe_application()
        self.control_app = self._control_application()

    async def start(self) -> None:
        """Compose a runtime over the engine, let it finish what an earlier one left, and take requests.

        Raises:
            StartError: the engine cannot be worked with; nothing keeps running.
        """
        self._runtime = self._engine.compose(lambda: self.public_address, self._alter.ports)
        await self._runtime.start()
        self._api.router = self._router(self._runtime)

    def drain(self) -> None:
        """Answer 503 to whatever is asked of the API from now on; probe and control go on to the end."""
        self._api.draining = True

    async def close(self) -> None:
        """End the runtime in good order; requests under way have been answered by now."""
        if self._runtime is not None:
            await self._runtime.close()

    async def restart(self, graceful: bool) -> None:
        """Replace the runtime by a new one over the same engine.

        Without ``graceful`` the old one is killed: connections are cut and requests under way dropped as
        they stand, as if the process had received SIGKILL.
        """
        old = self._runtime
        if old is not None and graceful:
            await old.close()
        elif old is not None:
            self.on_kill()
            await old.kill()
        await self.start()

    def _router(self, runtime: Runtime) -> Router:
        service = self._alter.service(runtime.service)
        identity = Identity(version=version, runtime=self._settings.runtime)
        routes = operation_routes(Handlers(service, identity), self._keys.caller)
        return Router([*routes, *proxy_routes(runtime.data_plane)], BASES)

    def _probe_application(self) -> Application | None:
        if self._settings.probe_port is None or (probe := self._engine.probe()) is None:
            return None
        from sandkit_server.http.probe import PROBE_KEY_HEADER, probe_routes

        keys = KeyCheck(PROBE_KEY_HEADER, self._settings.probe_key)
        return Application(Router(probe_routes(probe)), keys, self._bodies, AccessLog("probe"))

    def _control_application(self) -> Application | None:
        if self._settings.control_port is None or (control := self._engine.control(self.restart)) is None:
            return None
        from sandkit_server.http.control import CONTROL_KEY_HEADER, control_routes

        keys = KeyCheck(CONTROL_KEY_HEADER, self._settings.control_key)
        return Application(Router(control_routes(control)), keys, self._bodies, AccessLog("control"))


def build(settings: Settings, alter: Alterations | None = None) -> Server:
    """Put a server together; nothing is bound or started, and no event loop is needed."""
    return Server(settings, alter or Alterations())


@cache
def version() -> str:
    """The version of the installed distribution."""
    # Looked up when asked for: reading package metadata is a noticeable part of a quick start.
    from importlib import metadata

    return metadata.version("sandkit-server")
