"""The port for workloads over the memory engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sandkit_server.core.access import AccessTokens
from sandkit_server.core.model import Endpoint, EndpointQuery, SandboxState
from sandkit_server.core.port_errors import Exhausted, NeverReady, VersionConflict
from sandkit_server.core.ports import Capabilities, DiagnosticsScope, Workload, WorkloadSpec
from sandkit_server.disturbance.faults import Subject
from sandkit_server.runtimes.memory.controller import Controller
from sandkit_server.runtimes.memory.pooling import PoolController, take_warm
from sandkit_server.runtimes.memory.records import WorkloadRecord
from sandkit_server.runtimes.memory.workshop import Workshop


class MemoryWorkloads:
    """Workloads as one server process reaches them. ``endpoint_base`` tells host and port to reach it by."""

    def __init__(
        self, shop: Workshop, controller: Controller, pools: PoolController, endpoint_base: Callable[[], str]
    ) -> None:
        self._shop = shop
        self._engine = shop.engine
        self._steps = shop.steps
        self._controller = controller
        self._pools = pools
        self._endpoint_base = endpoint_base
        settings = shop.engine.settings
        self._capabilities = Capabilities(
            pause=settings.pause_mode,
            snapshots=settings.snapshots,
            pools=settings.pools,
            volume_backends=frozenset({"pvc", "host", "ossfs"}),
        )

    @property
    def capabilities(self) -> Capabilities:
        """What this runtime can do."""
        return self._capabilities

    async def preflight(self, spec: WorkloadSpec) -> None:
        """Nothing is refused for what it holds."""

    async def create(self, spec: WorkloadSpec) -> Workload:
        """Make the workload object; out of a pool it comes with a warm pod."""
        pool, metadata = spec.request.pool_ref, spec.request.metadata
        if pool is not None:
            subject = Subject(sandbox_id=spec.sandbox_id, name=pool, metadata=metadata)
            async with self._steps.at("pool.claim", subject):
                take_warm(self._engine, pool)
        subject = Subject(sandbox_id=spec.sandbox_id, name=spec.sandbox_id, metadata=metadata)
        async with self._steps.at("workload.create", subject):
            return self._add(spec, pool).port

    async def get(self, sandbox_id: str) -> Workload:
        """Read one object; nothing is built or copied for it."""
        if self._steps.is_armed("workload.get"):
            async with self._steps.at("workload.get", self._subject(sandbox_id)):
                return self._engine.workloads.get(sandbox_id).port
        return self._engine.workloads.get(sandbox_id).port

    async def list(self) -> Sequence[Workload]:
        """All workloads in order of creation."""
        async with self._steps.at("workload.list", Subject()):
            return [record.port for record in self._engine.workloads]

    async def delete(self, sandbox_id: str) -> None:
        """Begin to stop the workload; it is gone when everything it held is."""
        async with self._steps.at("workload.delete", self._subject(sandbox_id)):
            self._controller.terminate(self._engine.workloads.get(sandbox_id))

    async def abandon(self, sandbox_id: str, version: str, reason: str, message: str) -> None:
        """Release pod and jobs; the object stays as a record of the failure, owning nothing."""
        async with self._steps.at("workload.delete", self._subject(sandbox_id)):
            record = self._current(sandbox_id, version)
            self._controller.interrupt(sandbox_id)
            self._engine.garbage.release(record)
            if record.state is not SandboxState.FAILED:
                self._engine.workloads.transition(record, record.state, SandboxState.FAILED, reason, message)

    async def wait_ready(self, sandbox_id: str) -> Workload:
        """Return when the workload has left Pending."""
        while True:
            record = self._engine.workloads.get(sandbox_id)
            if record.state is SandboxState.FAILED:
                raise NeverReady(record.reason or "Failed", record.message or "The workload failed.")
            if record.state is not SandboxState.PENDING:
                return record.port
            await self._engine.workloads.changed(sandbox_id)

    async def request_pause(self, sandbox_id: str, version: str) -> Workload:
        """Record the intent to pause."""
        return await self._intend(sandbox_id, version, SandboxState.RUNNING, SandboxState.PAUSING)

    async def request_resume(self, sandbox_id: str, version: str) -> Workload:
        """Record the intent to resume."""
        return await self._intend(sandbox_id, version, SandboxState.PAUSED, SandboxState.RESUMING)

    async def set_expiry(self, sandbox_id: str, version: str, expires_at: datetime) -> Workload:
        """Move the expiry."""
        async with self._steps.at("workload.update", self._subject(sandbox_id)):
            record = self._current(sandbox_id, version)
            record.expires_at = expires_at
            self._engine.workloads.publish(record)
            self._controller.watch_expiry(record)
            return record.port

    async def set_metadata(self, sandbox_id: str, version: str, metadata: Mapping[str, str]) -> Workload:
        """Replace the metadata."""
        async with self._steps.at("workload.update", self._subject(sandbox_id)):
            record = self._current(sandbox_id, version)
            record.metadata = dict(metadata)
            self._engine.workloads.publish(record)
            return record.port

    async def endpoint(self, sandbox_id: str, query: EndpointQuery) -> Endpoint:
        """Always through the server: there is no other network that leads into memory."""
        record = self._engine.workloads.get(sandbox_id)
        address = f"{self._endpoint_base()}/v1/sandboxes/{sandbox_id}/proxy/{query.port}"
        if not (record.spec.request.secure_access or query.expires is not None):
            return Endpoint(endpoint=address)
        tokens = AccessTokens(self._engine.endpoint_secret)
        return Endpoint(endpoint=address, headers=tokens.headers(sandbox_id, query.port, query.expires or 0))

    async def logs(self, sandbox_id: str, scope: DiagnosticsScope) -> str:
        """What the entrypoint printed; the lifecycle prints nothing."""
        record = self._engine.workloads.get(sandbox_id)
        return "" if scope is DiagnosticsScope.LIFECYCLE else _text(record.output)

    async def events(self, sandbox_id: str, scope: DiagnosticsScope) -> str:
        """What happened to the workload; its container has no events of its own."""
        record = self._engine.workloads.get(sandbox_id)
        return "" if scope is DiagnosticsScope.CONTAINER else _text(record.events)

    async def _intend(
        self, sandbox_id: str, version: str, source: SandboxState, target: SandboxState
    ) -> Workload:
        async with self._steps.at("workload.update", self._subject(sandbox_id)):
            record = self._current(sandbox_id, version)
            record.generation += 1
            self._engine.workloads.transition(record, source, target)
            self._controller.poke(sandbox_id)
            return record.port

    def _add(self, spec: WorkloadSpec, pool: str | None) -> WorkloadRecord:
        quota = self._engine.settings.max_sandboxes
        if quota is not None and len(self._engine.workloads) >= quota:
            raise Exhausted("quota", f"There are {quota} sandboxes already, as many as the quota allows.")
        if pool is None:
            image = spec.request.image
            record = self._engine.workloads.add(spec, image.uri if image is not None else None)
        else:
            pod = take_warm(self._engine, pool)
            pod.env = {**pod.env, **spec.env}
            process = pod.processes[0]
            process.command = spec.entrypoint or process.command
            # What the template gave belongs to the sandbox from now on, so that it survives a pause (RES-11).
            spec = replace(spec, entrypoint=process.command, env=pod.env)
            record = self._engine.workloads.add(spec, pod.image_ref)
            record.pool_ref = pool
            self._engine.pods.adopt(pod, record.id)
            self._pools.poke(pool)
        self._controller.poke(record.id)
        self._controller.watch_expiry(record)
        return record

    def _current(self, sandbox_id: str, version: str) -> WorkloadRecord:
        record = self._engine.workloads.get(sandbox_id)
        if str(record.version) != version:
            raise VersionConflict(f"workload {sandbox_id} has changed")
        return record

    def _subject(self, sandbox_id: str) -> Subject:
        record = self._engine.workloads.find(sandbox_id)
        metadata = record.metadata if record is not None else {}
        return Subject(sandbox_id=sandbox_id, name=sandbox_id, metadata=metadata)


def _text(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
