"""One server process over a memory engine: service, adapters, controllers, and the way they end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sandkit_server.core.identity import RandomIds
from sandkit_server.core.policy import Policy
from sandkit_server.core.ports import Ports
from sandkit_server.core.service import LifecycleService
from sandkit_server.core.supervision import Supervisor
from sandkit_server.disturbance.faults import Lifeline
from sandkit_server.disturbance.strikes import Steps
from sandkit_server.runtimes.memory.claim_store import MemoryClaimStore
from sandkit_server.runtimes.memory.committer import Committer
from sandkit_server.runtimes.memory.controller import Controller
from sandkit_server.runtimes.memory.data_plane import MemoryDataPlane
from sandkit_server.runtimes.memory.engine import MemoryEngine
from sandkit_server.runtimes.memory.pooling import MemoryPoolStore, PoolController
from sandkit_server.runtimes.memory.provider import MemoryWorkloads
from sandkit_server.runtimes.memory.snapshot_store import MemorySnapshotStore
from sandkit_server.runtimes.memory.snapshotting import SnapshotController
from sandkit_server.runtimes.memory.workshop import Workshop


class MemoryRuntime:
    """Compose with an engine, ``start``, use ``service`` and ``data_plane``, then ``close`` or ``kill``.

    A killed runtime reaches the engine no more; a new one over the same engine goes on where it stopped.
    ``endpoint_base`` tells the host and port under which clients reach this server. ``alter_ports`` may put
    a layer between service and adapters, such as one that counts calls or does something wrong on purpose.
    """

    def __init__(
        self,
        engine: MemoryEngine,
        policy: Policy,
        endpoint_base: Callable[[], str],
        alter_ports: Callable[[Ports], Ports] | None = None,
    ) -> None:
        self.engine = engine
        self._lifeline = Lifeline()
        self._supervisor = Supervisor()
        steps = Steps(engine.disturbances, self._lifeline, engine.clock)
        shop = Workshop(engine, steps, self._supervisor)
        committer = Committer(shop)
        self._controller = Controller(shop, committer)
        self._snapshots = SnapshotController(shop, committer)
        self._pools = PoolController(shop)
        ports = Ports(
            workloads=MemoryWorkloads(shop, self._controller, self._pools, endpoint_base),
            claims=MemoryClaimStore(engine, steps),
            snapshots=MemorySnapshotStore(engine, steps, self._snapshots),
            pools=MemoryPoolStore(engine, self._pools),
            clock=engine.clock,
            ids=RandomIds(),
        )
        self.ports = alter_ports(ports) if alter_ports is not None else ports
        # Nobody else can reach an engine in this process's memory.
        self.service = LifecycleService(self.ports, replace(policy, exclusive=True))
        self.data_plane = MemoryDataPlane(engine, ports.workloads)

    async def start(self) -> None:
        """Go on with what is under way in the engine, and reconcile."""
        self._controller.start()
        self._snapshots.start()
        self._pools.start()
        await self.service.start()

    async def close(self) -> None:
        """End in order: no new creates, those under way finish, the rest stops where it is."""
        await self.service.close()
        self._controller.stop()
        self._pools.stop()
        await self._supervisor.close()
        self._lifeline.cut = True

    async def kill(self) -> None:
        """End as by SIGKILL: whatever is under way is dropped where it stands and cleans up nothing."""
        self._lifeline.cut = True
        self._controller.stop()
        self._pools.stop()
        self.engine.disturbances.drop(self._lifeline)
        await self.service.kill()
        await self._supervisor.close()
