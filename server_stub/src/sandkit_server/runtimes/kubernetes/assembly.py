"""One server process over a namespace: service, adapters, caches, and the way they begin and end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Protocol

from sandkit_server.core.errors import StartError
from sandkit_server.core.identity import RandomIds
from sandkit_server.core.policy import Policy
from sandkit_server.core.port_errors import Forbidden, PortError
from sandkit_server.core.ports import Clock, PoolStore, Ports, SnapshotStore
from sandkit_server.core.service import LifecycleService
from sandkit_server.core.supervision import Supervisor
from sandkit_server.kubernetes.cache import Cache
from sandkit_server.kubernetes.calls import Misconfigured, PodLogs
from sandkit_server.kubernetes.clock import SystemClock
from sandkit_server.kubernetes.resources import POOLS, PURPOSE_LABEL, PURPOSE_USER, SNAPSHOTS, Resource
from sandkit_server.kubernetes.watch import WatchedCluster
from sandkit_server.runtimes.kubernetes.claims import KubernetesClaims
from sandkit_server.runtimes.kubernetes.data_plane import PodDataPlane
from sandkit_server.runtimes.kubernetes.kind import WorkloadKind
from sandkit_server.runtimes.kubernetes.objects import Objects
from sandkit_server.runtimes.kubernetes.pools import KubernetesPools, NoPools, PoolGate
from sandkit_server.runtimes.kubernetes.providers.agent_sandbox import VERSIONS, AgentSandboxes
from sandkit_server.runtimes.kubernetes.providers.batch_sandbox import BatchSandboxes
from sandkit_server.runtimes.kubernetes.reach import Reach
from sandkit_server.runtimes.kubernetes.settings import KubernetesSettings
from sandkit_server.runtimes.kubernetes.snapshots import KubernetesSnapshots, NoSnapshots
from sandkit_server.runtimes.kubernetes.witness import Witness
from sandkit_server.runtimes.kubernetes.workloads import KubernetesWorkloads

_NO_LABELS: Final[Mapping[str, str]] = MappingProxyType({})
# How often the start looks whether a list failed for good; lists that arrive end the wait by themselves.
_GLANCE_SECONDS: Final = 0.05


class RuntimeCluster(WatchedCluster, PodLogs, Protocol):
    """What a runtime needs of a cluster."""

    async def serves(self, resource: Resource) -> bool:
        """Whether the API server knows the kind in this version. Raises Unavailable."""
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...


class KubernetesRuntime:
    """Compose with a cluster, ``start``, use ``service`` and ``data_plane``, then ``close`` or ``kill``.

    Any number of them may work in one namespace. ``endpoint_base`` tells the host and port under which
    clients reach this server. ``alter_ports`` may put a layer between service and adapters.
    """

    def __init__(
        self,
        cluster: RuntimeCluster,
        settings: KubernetesSettings,
        policy: Policy,
        endpoint_base: Callable[[], str],
        alter_ports: Callable[[Ports], Ports] | None = None,
        *,
        clock: Clock | None = None,
    ) -> None:
        self._cluster = cluster
        self._settings = settings
        self._policy = policy
        self._reach = Reach(
            cluster, endpoint_base, settings.endpoint_secret, through_server=settings.through_server
        )
        self._alter_ports = alter_ports
        self._clock = clock or SystemClock()
        self._supervisor = Supervisor()
        self._caches: list[Cache] = []
        self._service: LifecycleService | None = None
        self._data_plane: PodDataPlane | None = None

    @property
    def service(self) -> LifecycleService:
        """The operations of the API; there once it has started."""
        assert self._service is not None, "the runtime has not started"
        return self._service

    @property
    def data_plane(self) -> PodDataPlane:
        """The sandboxes' own ports; there once it has started."""
        assert self._data_plane is not None, "the runtime has not started"
        return self._data_plane

    async def start(self) -> None:
        """Choose the kind, fill the caches, reconcile.

        Raises:
            StartError: the API server cannot be reached, or the namespace, a kind or a permission is missing.
        """
        try:
            await self._start()
        except BaseException:
            await self._end()
            raise

    async def close(self) -> None:
        """End in order: no new creates, those under way finish, the rest stops where it is."""
        if self._service is not None:
            await self._service.close()
        await self._end()

    async def kill(self) -> None:
        """Drop whatever is under way."""
        if self._service is not None:
            await self._service.kill()
        await self._end()

    async def _start(self) -> None:
        kind = await self._kind()
        cache = self._follow(kind.resource)
        objects = Objects(self._cluster, cache)
        gate: PoolGate | None = None
        snapshots: SnapshotStore = NoSnapshots()
        pools: PoolStore = NoPools()
        if isinstance(kind, BatchSandboxes):
            pooled = Objects(self._cluster, self._follow(POOLS))
            kept = Objects(self._cluster, self._follow(SNAPSHOTS, {PURPOSE_LABEL: PURPOSE_USER}))
            gate = PoolGate(pooled, objects)
            snapshots = KubernetesSnapshots(kept, objects, self._clock)
            pools = KubernetesPools(self._cluster, pooled, self._settings.pods)
        elif isinstance(kind, AgentSandboxes):
            Witness(cache, objects, kind.testimony, self._supervisor)
        await self._sync()
        workloads = KubernetesWorkloads(kind, objects, self._cluster, gate, self._reach, self._clock)
        ports = Ports(
            workloads=workloads,
            claims=KubernetesClaims(self._cluster),
            snapshots=snapshots,
            pools=pools,
            clock=self._clock,
            ids=RandomIds(),
        )
        if self._alter_ports is not None:
            ports = self._alter_ports(ports)
        self._data_plane = PodDataPlane(kind, objects, workloads, self._settings, self._clock)
        self._service = LifecycleService(ports, self._policy)
        await self._service.start()

    async def _kind(self) -> WorkloadKind:
        if self._settings.workload_provider == "batchsandbox":
            return BatchSandboxes(self._settings.pods)
        try:
            for resource in VERSIONS:
                if await self._cluster.serves(resource):
                    return AgentSandboxes(self._settings.pods, resource)
        except PortError as error:
            raise self._refusal(VERSIONS[0], error) from error
        raise self._refusal(VERSIONS[0], Misconfigured("it has none of the versions this server knows"))

    def _follow(self, resource: Resource, labels: Mapping[str, str] = _NO_LABELS) -> Cache:
        cache = Cache(self._cluster, resource, labels)
        self._caches.append(cache)
        self._supervisor.spawn(f"cache of {resource.full_name}", cache.run())
        return cache

    async def _sync(self) -> None:
        """Wait for the first lists; a cause that time does not mend ends it at once."""
        deadline = asyncio.get_running_loop().time() + self._settings.sync_seconds
        for cache in self._caches:
            synced = asyncio.ensure_future(cache.synced())
            try:
                while not synced.done():
                    await asyncio.wait({synced}, timeout=_GLANCE_SECONDS)
                    trouble = cache.trouble
                    late = asyncio.get_running_loop().time() > deadline
                    if isinstance(trouble, (Forbidden, Misconfigured)) or (late and not synced.done()):
                        raise self._refusal(cache.resource, trouble)
            finally:
                synced.cancel()
        # A watch that is refused is refused at once; without it a sandbox would never be seen to change.
        await asyncio.sleep(_GLANCE_SECONDS)
        for cache in self._caches:
            if isinstance(cache.trouble, Forbidden):
                raise self._refusal(cache.resource, cache.trouble)

    def _refusal(self, resource: Resource, trouble: PortError | None) -> StartError:
        name, namespace = resource.full_name, self._cluster.namespace
        if isinstance(trouble, Forbidden):
            return StartError(
                f"The server may not {trouble.verb} {trouble.resource} in namespace {namespace}: grant its "
                "account get, list and watch there (the Helm chart's role has all it needs)."
            )
        if isinstance(trouble, Misconfigured):
            return StartError(
                f"The cluster is not set up for {name} in namespace {namespace}: {trouble.message}. "
                "Install the definitions (Helm chart, or specs/crds) and make the namespace."
            )
        why = trouble.message if trouble is not None else "it does not answer"
        return StartError(
            f"The API server gave no list of {name} in {self._settings.sync_seconds:g} seconds: {why}. Check "
            "the kubeconfig, its context, and the network."
        )

    async def _end(self) -> None:
        await self._supervisor.close()
        if self._data_plane is not None:
            await self._data_plane.close()
        await self._cluster.close()
