"""Server and controller at work in a namespace; whichever is killed is followed by a new one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from sandkit_server.controller.config import Config
from sandkit_server.controller.controller import Controller
from sandkit_server.core.errors import SandkitError
from sandkit_server.core.policy import Policy
from sandkit_server.core.service import LifecycleService
from sandkit_server.kubernetes.clock import SystemClock
from sandkit_server.kubernetes.http_cluster import HttpCluster
from sandkit_server.runtimes.kubernetes import KubernetesRuntime, KubernetesSettings, PodSettings
from sandkit_server.testing.control_plane.harness.points import Actor
from sandkit_server.testing.control_plane.node.kubelet import NodeOptions

from .writes import Ledger, RecordedCluster

_SETTINGS: Final = KubernetesSettings(
    endpoint_secret=b"secret", pods=PodSettings(snapshot_pull_secret="registry-pull")
)
# A create that a killed server began is nobody's for its successor, as for an only server.
_POLICY: Final = Policy(exclusive=True)
_CONFIG: Final = Config(
    registry=NodeOptions().repository,
    push_secret="registry-push",
    pull_secret="registry-pull",
    committer_image="committer.test/committer:1",
)
_UNAVAILABLE: Final = 503
_RETRY_SECONDS: Final = 0.1

T = TypeVar("T")
Connect = Callable[[Actor], HttpCluster]


class Unanswered(Exception):  # noqa: N818 - named for what happened
    """Whether anything was done is unknown to the client."""


class Product:
    """The processes of the product; see :func:`at_work`.

    Attributes:
        unanswered: How many requests got no answer, or a 503.
    """

    def __init__(self, connect: Connect, ledger: Ledger) -> None:
        self._connect = connect
        self._ledger = ledger
        self._server: tuple[KubernetesRuntime, RecordedCluster] | None = None
        self.unanswered = 0

    async def ask(self, operation: Callable[[LifecycleService], Awaitable[T]]) -> T:
        """What the server answers, asked again, as a client does, until there is one. Raises SandkitError."""
        while True:
            try:
                return await self.attempt(operation)
            except Unanswered:
                self.unanswered += 1
                await asyncio.sleep(_RETRY_SECONDS)

    async def attempt(self, operation: Callable[[LifecycleService], Awaitable[T]]) -> T:
        """What the server answers. Raises SandkitError; Unanswered if it died or was not available."""
        try:
            server, cluster = await self._present()
            asking = asyncio.ensure_future(operation(server.service))
            dying = asyncio.ensure_future(cluster.died.wait())
            try:
                await asyncio.wait({asking, dying}, return_when=asyncio.FIRST_COMPLETED)
                if cluster.died.is_set():
                    raise Unanswered
                return asking.result()
            finally:
                for task in (asking, dying):
                    task.cancel()
                await asyncio.gather(asking, dying, return_exceptions=True)
        except SandkitError as error:
            if error.status != _UNAVAILABLE:
                raise
            raise Unanswered from error

    async def _present(self) -> tuple[KubernetesRuntime, RecordedCluster]:
        if self._server is not None and self._server[1].died.is_set():
            server, self._server = self._server[0], None
            await server.kill()
        if self._server is None:
            cluster = RecordedCluster(self._connect(Actor.SERVER), Actor.SERVER, self._ledger)
            server = KubernetesRuntime(cluster, _SETTINGS, _POLICY, lambda: "api.test:80")
            self._server = server, cluster
            await server.start()
        return self._server

    async def close(self) -> None:
        """End the server in order."""
        if self._server is not None:
            await self._server[0].close()

    async def control(self) -> None:
        """Run a controller, and another one whenever it was killed, until cancelled."""
        while True:
            cluster = RecordedCluster(self._connect(Actor.CONTROLLER), Actor.CONTROLLER, self._ledger)
            working = asyncio.ensure_future(Controller(cluster, SystemClock(), _CONFIG).run())
            dying = asyncio.ensure_future(cluster.died.wait())
            try:
                await asyncio.wait({working, dying}, return_when=asyncio.FIRST_COMPLETED)
                if not cluster.died.is_set():
                    working.result()
            finally:
                cluster.died.set()
                working.cancel()
                await asyncio.gather(working, dying, return_exceptions=True)
                await cluster.close()


@asynccontextmanager
async def at_work(connect: Connect, ledger: Ledger) -> AsyncIterator[Product]:
    """A server and a controller until the block ends."""
    product = Product(connect, ledger)
    controlling = asyncio.ensure_future(product.control())
    try:
        yield product
        assert not controlling.done(), controlling
    finally:
        controlling.cancel()
        await asyncio.gather(controlling, return_exceptions=True)
        await product.close()
