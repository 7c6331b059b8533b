"""The port for workloads over a cluster, whichever kind of object sandboxes run as."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from sandkit_server.core.model import Endpoint, EndpointQuery, SandboxState
from sandkit_server.core.port_errors import (
    AlreadyExists,
    NeverReady,
    NotFound,
    PortError,
    Unavailable,
    Unsupported,
    VersionConflict,
)
from sandkit_server.core.ports import Capabilities, Clock, DiagnosticsScope, Workload, WorkloadSpec
from sandkit_server.kubernetes import calls
from sandkit_server.kubernetes.calls import Cluster, Object
from sandkit_server.kubernetes.resources import SANDBOX_ANNOTATION, SECRETS
from sandkit_server.kubernetes.watch import version_of
from sandkit_server.runtimes.kubernetes.details import annotations_of, reference, relabelled
from sandkit_server.runtimes.kubernetes.kind import Patch, WorkloadKind
from sandkit_server.runtimes.kubernetes.objects import Objects
from sandkit_server.runtimes.kubernetes.pools import PoolGate
from sandkit_server.runtimes.kubernetes.pull_secret import pull_secret, pull_secret_name
from sandkit_server.runtimes.kubernetes.reach import Reach
from sandkit_server.runtimes.kubernetes.views import Views


class KubernetesWorkloads:
    """Workloads as one server process reaches them.

    Reads come out of a cache that a watch feeds. Each change is a compare-and-set on the version that was
    read, so that a stale read costs another turn and nothing else.
    """

    def __init__(
        self,
        kind: WorkloadKind,
        objects: Objects,
        cluster: Cluster,
        pools: PoolGate | None,
        reach: Reach,
        clock: Clock,
    ) -> None:
        self._kind = kind
        self._objects = objects
        self._cluster = cluster
        self._pools = pools
        self._reach = reach
        self._clock = clock
        self._views = Views(kind.workload)

    @property
    def capabilities(self) -> Capabilities:
        """What sandboxes of this kind can do."""
        return self._kind.capabilities

    async def preflight(self, spec: WorkloadSpec) -> None:
        """Refuse what a cluster cannot do as asked, and a pool that has nothing left."""
        self._kind.check(spec)
        await self._settled(spec)

    async def create(self, spec: WorkloadSpec) -> Workload:
        """Make the workload object, and the secret that its image is pulled with."""
        spec = await self._settled(spec)
        now = self._clock.now()
        image = spec.request.image
        auth = image.auth if image is not None and spec.request.pool_ref is None else None
        secret = pull_secret_name(spec.sandbox_id, now) if auth is not None else None
        obj = await self._create(self._kind.manifest(spec, now, secret))
        if image is not None and auth is not None and secret is not None:
            body = pull_secret(secret, image.uri, auth, reference(obj))
            try:
                await self._cluster.send(calls.create(SECRETS, body))
            except PortError as error:
                # The workload is there, so whoever rolls back has to take it away.
                raise PortError(f"the pull credentials could not be stored: {error.message}") from error
        return self._views.of(obj)

    async def get(self, sandbox_id: str) -> Workload:
        """Read one object."""
        return self._views.of(await self._get(sandbox_id))

    async def list(self) -> Sequence[Workload]:
        """All workloads in order of creation, out of the cache."""
        return self._views.in_order(obj for obj in self._objects if self._kind.is_ours(obj))

    async def delete(self, sandbox_id: str) -> None:
        """Delete the object; it stays, marked, until its pods are gone."""
        await self._get(sandbox_id)
        await self._objects.delete(sandbox_id, wait_for_dependents=True)

    async def abandon(self, sandbox_id: str, version: str, reason: str, message: str) -> None:
        """Have its pods taken away; the object stays as a record of the failure."""
        obj = await self._at(sandbox_id, version)
        await self._change(obj, self._kind.abandon(obj, reason, message, self._clock.now()))

    async def wait_ready(self, sandbox_id: str) -> Workload:
        """Return when the workload has left Pending, as soon as the API server tells."""
        while True:
            obj = await self._get(sandbox_id)
            changed = self._objects.changed(sandbox_id)
            try:
                # Nothing can have happened between the two looks, as neither of the lines waits.
                workload = self._views.of(self._objects.known(sandbox_id) or obj)
                status = workload.sandbox.status
                if status.state is SandboxState.FAILED:
                    raise NeverReady(status.reason or "Failed", status.message or "The workload failed.")
                if status.state is not SandboxState.PENDING:
                    return workload
                await changed
            finally:
                changed.cancel()

    async def request_pause(self, sandbox_id: str, version: str) -> Workload:
        """Record the intent to pause."""
        obj = await self._at(sandbox_id, version)
        return await self._change(obj, *self._kind.pause(obj, self._clock.now()))

    async def request_resume(self, sandbox_id: str, version: str) -> Workload:
        """Record the intent to resume."""
        obj = await self._at(sandbox_id, version)
        return await self._change(obj, *self._kind.resume(obj, self._clock.now()))

    async def set_expiry(self, sandbox_id: str, version: str, expires_at: datetime) -> Workload:
        """Move the expiry."""
        obj = await self._at(sandbox_id, version)
        return await self._change(obj, self._kind.expire(obj, expires_at))

    async def set_metadata(self, sandbox_id: str, version: str, metadata: Mapping[str, str]) -> Workload:
        """Replace the labels that are not our own."""
        obj = await self._at(sandbox_id, version)
        return await self._change(obj, {"metadata": {"labels": relabelled(obj, metadata)}})

    async def endpoint(self, sandbox_id: str, query: EndpointQuery) -> Endpoint:
        """Where a port can be reached."""
        obj = await self._get(sandbox_id)
        return self._reach.endpoint(sandbox_id, self._kind.details(obj), self._kind.placement(obj), query)

    async def logs(self, sandbox_id: str, scope: DiagnosticsScope) -> str:
        """What the sandbox printed; the lifecycle prints nothing."""
        obj = await self._get(sandbox_id)
        if scope is DiagnosticsScope.LIFECYCLE:
            return ""
        return await self._reach.logs(self._kind.placement(obj))

    async def events(self, sandbox_id: str, scope: DiagnosticsScope) -> str:
        """What happened to the sandbox and its pod."""
        obj = await self._get(sandbox_id)
        return await self._reach.events(obj, self._kind.placement(obj), scope)

    async def _settled(self, spec: WorkloadSpec) -> WorkloadSpec:
        """The spec with what its pool decides; raises Exhausted when the pool has nothing left."""
        name = spec.request.pool_ref
        if name is None:
            return spec
        if self._pools is None:
            raise Unsupported("This runtime has no pools.")
        return replace(spec, entrypoint=await self._pools.admit(name))

    async def _create(self, body: Object) -> Object:
        try:
            return await self._objects.create(body)
        except Unavailable:
            await self._refuse_anothers(body)
            raise

    async def _refuse_anothers(self, body: Object) -> None:
        """Raise AlreadyExists when the name is taken by an object that another server made meanwhile.

        Whoever rolls back a create of unknown effect deletes by name, and must not delete that one.
        """
        name = body["metadata"]["name"]
        with suppress(Unavailable, NotFound):
            found = await self._objects.read(name)
            if annotations_of(found).get(SANDBOX_ANNOTATION) != annotations_of(body)[SANDBOX_ANNOTATION]:
                raise AlreadyExists(f"{name} was made by another server")

    async def _get(self, sandbox_id: str) -> Object:
        obj = await self._objects.get(sandbox_id)
        if not self._kind.is_ours(obj):
            raise NotFound(f"{self._objects.resource.kind} {sandbox_id} is no sandbox of this API")
        return obj

    async def _at(self, sandbox_id: str, version: str) -> Object:
        obj = await self._get(sandbox_id)
        if version_of(obj) != version:
            obj = await self._objects.read(sandbox_id)
        if version_of(obj) != version:
            raise VersionConflict(f"sandbox {sandbox_id} has changed")
        return obj

    async def _change(self, obj: Object, *patches: Patch) -> Workload:
        for patch in patches:
            obj = await self._objects.change(obj["metadata"]["name"], version_of(obj), patch)
        return self._views.of(obj)
