"""The composition root: which parts make up a server, and how they are started, replaced and closed.

Nothing here touches the network (``serving`` does) or decides anything about sandboxes (``core`` does).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from sandkit_server.core.policy import Policy
from sandkit_server.core.ports import PauseMode, Ports
from sandkit_server.core.service import LifecycleService
from sandkit_server.http.access_log import AccessLog
from sandkit_server.http.application import Application, Asgi
from sandkit_server.http.authentication import API_KEY_HEADER, KeyCheck
from sandkit_server.http.body import BodyReader
from sandkit_server.http.handlers import Handlers, Identity
from sandkit_server.http.operations import BASES, operation_routes
from sandkit_server.http.proxy import proxy_routes
from sandkit_server.http.routing import Router
from sandkit_server.settings import Settings

if TYPE_CHECKING:
    from sandkit_server.runtimes.memory import MemoryRuntime, MemorySettings

__all__ = ["Alterations", "Asgi", "Server", "Settings", "build", "version"]


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
    ``ports`` and ``service`` for every composition, so again after a restart.
    """

    ports: Callable[[Ports], Ports] = _same_ports
    service: Callable[[LifecycleService], LifecycleService] = _same_service
    app: Callable[[Asgi], Asgi] = _same_app


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
        from sandkit_server.runtimes.memory import MemoryEngine

        self._settings = settings
        self._alter = alter
        self._keys = KeyCheck(API_KEY_HEADER, settings.api_key)
        self._bodies = BodyReader(settings.max_body_bytes, settings.body_timeout)
        self._engine = MemoryEngine(_memory_settings(settings))
        self._runtime: MemoryRuntime | None = None
        self.public_address = settings.public_address or f"{settings.host}:{settings.port}"
        self.on_kill: Callable[[], None] = lambda: None
        self._api = Application(Router(()), self._keys, self._bodies, AccessLog("api"))
        self.app: Asgi = alter.app(self._api)
        self.probe_app = self._probe_application()
        self.control_app = self._control_application()

    async def start(self) -> None:
        """Compose the runtime over the engine, let it finish what an earlier one left, and take requests."""
        self._runtime = self._compose()
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

    def _compose(self) -> MemoryRuntime:
        from sandkit_server.runtimes.memory import MemoryRuntime

        policy = Policy(
            max_timeout=self._settings.max_lifetime,
            host_path_prefixes=self._settings.allowed_host_prefixes,
        )
        return MemoryRuntime(
            self._engine, policy, endpoint_base=lambda: self.public_address, alter_ports=self._alter.ports
        )

    def _router(self, runtime: MemoryRuntime) -> Router:
        service = self._alter.service(runtime.service)
        identity = Identity(version=version, runtime=self._settings.runtime)
        routes = operation_routes(Handlers(service, identity), self._keys.caller)
        return Router([*routes, *proxy_routes(runtime.data_plane)], BASES)

    def _probe_application(self) -> Application | None:
        if self._settings.probe_port is None:
            return None
        from sandkit_server.http.probe import PROBE_KEY_HEADER, probe_routes
        from sandkit_server.runtimes.memory import MemoryProbe

        keys = KeyCheck(PROBE_KEY_HEADER, self._settings.probe_key)
        routes = probe_routes(MemoryProbe(self._engine))
        return Application(Router(routes), keys, self._bodies, AccessLog("probe"))

    def _control_application(self) -> Application | None:
        if self._settings.control_port is None:
            return None
        from sandkit_server.http.control import CONTROL_KEY_HEADER, control_routes
        from sandkit_server.runtimes.memory import MemoryControl

        keys = KeyCheck(CONTROL_KEY_HEADER, self._settings.control_key)
        routes = control_routes(MemoryControl(self._engine, restart=self.restart))
        return Application(Router(routes), keys, self._bodies, AccessLog("control"))


def _memory_settings(settings: Settings) -> MemorySettings:
    from sandkit_server.runtimes.memory import MemorySettings, RegistrySettings

    return MemorySettings(
        transition_seconds=settings.transition_time,
        pause_mode=None if settings.pause_mode == "none" else PauseMode(settings.pause_mode),
        registry=None if "registry" in settings.without else RegistrySettings(),
        max_sandboxes=settings.max_sandboxes,
        snapshots="snapshots" not in settings.without,
        pools="pools" not in settings.without,
    )


def build(settings: Settings, alter: Alterations | None = None) -> Server:
    """Put a server together; nothing is bound or started, and no event loop is needed."""
    return Server(settings, alter or Alterations())


@cache
def version() -> str:
    """The version of the installed distribution."""
    # Looked up when asked for: reading package metadata is a noticeable part of a quick start.
    from importlib import metadata

    return metadata.version("sandkit-server")
