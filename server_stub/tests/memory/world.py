"""A memory engine with a server over it, and the moves tests make in it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from sandkit_server.core.errors import ErrorCode, SandkitError
from sandkit_server.core.model import (
    Caller,
    ClaimSource,
    CreateSandbox,
    ImageSource,
    Sandbox,
    SandboxState,
    Snapshot,
    SnapshotState,
    Volume,
)
from sandkit_server.core.policy import Policy
from sandkit_server.core.service import LifecycleService
from sandkit_server.runtimes.memory import (
    MemoryControl,
    MemoryEngine,
    MemoryProbe,
    MemoryRuntime,
    MemorySettings,
)

T = TypeVar("T")

CALLER = Caller("tester")
PATIENCE = 15.0
QUICK = MemorySettings(transition_seconds=0.002, retry_seconds=(0.005, 0.02))

IMAGE = CreateSandbox(
    image=ImageSource(uri="python:3.12-slim"),
    entrypoint=("python", "-m", "http.server"),
    resource_limits={"cpu": "500m"},
)


def claim(
    name: str, *, opt_in: bool = True, create: bool = True, path: str | None = None, **more: Any
) -> Volume:
    """A mount of a claim, opted in to deletion unless told otherwise."""
    source = ClaimSource(
        claim_name=name, create_if_not_exists=create, delete_on_sandbox_termination=opt_in, **more
    )
    mount = path or f"/mnt/{name}"
    return Volume(name=mount.strip("/").replace("/", "-"), mount_path=mount, claim=source)


class World:
    """One engine; its server can be killed and replaced."""

    def __init__(self, settings: MemorySettings = QUICK, policy: Policy | None = None) -> None:
        self.policy = policy if policy is not None else Policy()
        self.engine = MemoryEngine(settings)
        self.probe = MemoryProbe(self.engine)
        self.control = MemoryControl(self.engine, self.restart)
        self.runtime = self._compose()

    @property
    def service(self) -> LifecycleService:
        """The service of the server that lives now."""
        return self.runtime.service

    def _compose(self) -> MemoryRuntime:
        return MemoryRuntime(self.engine, self.policy, lambda: "127.0.0.1:8080")

    async def restart(self, graceful: bool = False) -> None:
        """Kill the server, or close it, and start another over the same engine."""
        await (self.runtime.close() if graceful else self.runtime.kill())
        self.runtime = self._compose()
        await self.runtime.start()

    async def create(self, *volumes: Volume, key: str | None = None, **changes: Any) -> Sandbox:
        """Create a sandbox."""
        request = replace(IMAGE, volumes=volumes, **changes)
        return await self.service.create_sandbox(request, CALLER, key)

    async def running(self, *volumes: Volume, **changes: Any) -> str:
        """Create a sandbox and wait until it runs."""
        sandbox = await self.create(*volumes, **changes)
        await self.until(sandbox.id, SandboxState.RUNNING)
        return sandbox.id

    async def paused(self, *volumes: Volume, **changes: Any) -> str:
        """Create a sandbox and pause it."""
        sandbox_id = await self.running(*volumes, **changes)
        await self.pause(sandbox_id)
        return sandbox_id

    async def pause(self, sandbox_id: str) -> Sandbox:
        """Pause and wait."""
        await self.service.pause(sandbox_id)
        return await self.until(sandbox_id, SandboxState.PAUSED)

    async def resume(self, sandbox_id: str) -> Sandbox:
        """Resume and wait."""
        await self.service.resume(sandbox_id)
        return await self.until(sandbox_id, SandboxState.RUNNING)

    async def delete(self, sandbox_id: str) -> None:
        """Delete and wait until it is gone."""
        await self.service.delete_sandbox(sandbox_id)
        await self.gone(sandbox_id)

    async def reached(
        self, sandbox_id: str, port: int = 44_772, headers: Mapping[str, str] | None = None
    ) -> int:
        """The status with which a port answers a health check."""
        try:
            return (await self.runtime.data_plane.handle(sandbox_id, port, "/ping", headers or {})).status
        except SandkitError as error:
            return error.status

    async def until(self, sandbox_id: str, state: SandboxState) -> Sandbox:
        """Wait for a state."""
        return await eventually(
            lambda: self.service.get_sandbox(sandbox_id), lambda sandbox: sandbox.status.state is state
        )

    async def gone(self, sandbox_id: str) -> None:
        """Wait until the sandbox is unknown."""

        async def is_gone() -> bool:
            try:
                await self.service.get_sandbox(sandbox_id)
            except SandkitError as error:
                return error.code is ErrorCode.SANDBOX_SANDBOX_NOT_FOUND
            return False

        await eventually(is_gone, bool)

    async def snapshot(self, sandbox_id: str, name: str | None = None) -> Snapshot:
        """Take a snapshot and wait until it is ready."""
        snapshot = await self.service.create_snapshot(sandbox_id, name, CALLER)
        return await self.until_snapshot(snapshot.id, SnapshotState.READY)

    async def until_snapshot(self, snapshot_id: str, state: SnapshotState) -> Snapshot:
        """Wait for a snapshot's state."""
        return await eventually(
            lambda: self.service.get_snapshot(snapshot_id), lambda snapshot: snapshot.status.state is state
        )

    async def settled(self) -> None:
        """Wait until nothing is under way."""
        await self.engine.clock.advance(0.0)

    async def fault(self, point: str, action: str = "error", **more: Any) -> str:
        """Arm a fault."""
        return str((await self.control.add_fault({"point": point, "action": action, **more}))["id"])

    async def gate(self, point: str, when: str = "before", **match: Any) -> str:
        """Close a gate."""
        return str((await self.control.add_gate({"point": point, "when": when, "match": match}))["id"])

    async def held(self, gate_id: str) -> None:
        """Wait until somebody is held at a gate."""
        assert (await self.control.gate(gate_id, PATIENCE))["held"], "nobody came to the gate"

    async def held_by(self, gate_id: str, call: Awaitable[Any]) -> None:
        """Make a call and wait until what it set off is held at a gate."""
        await call
        await self.held(gate_id)

    async def seed_foreign_claims(self) -> dict[str, Any]:
        """Claims that are none of the server's business, in all deceptive forms."""
        labelled = {"opensandbox.io/volume-managed-by": "server"}
        await self.probe.seed_volume({"name": "decoy-plain", "files": {"a": "1"}})
        await self.probe.seed_volume({"name": "decoy-managed", "labels": labelled})
        await self.probe.seed_volume({"name": "decoy-other", "labels": {"team": "search"}})
        return {name: self.volume(name) for name in ("decoy-plain", "decoy-managed", "decoy-other")}

    def volume(self, name: str) -> dict[str, Any] | None:
        """The picture of one claim."""
        from sandkit_server.runtimes.memory.view import volume_row

        record = self.engine.volumes.find(name)
        return None if record is None else volume_row(self.engine, record)

    def census(self) -> dict[str, list[str]]:
        """Names of all that exists."""
        engine = self.engine
        return {
            "workloads": sorted(record.id for record in engine.workloads),
            "volumes": sorted(volume.name for volume in engine.volumes),
            "pods": sorted(pod.name for pod in engine.pods),
            "snapshots": sorted(snapshot.id for snapshot in engine.snapshots),
            "images": sorted(image.ref for image in engine.images),
            "jobs": sorted(job.name for job in engine.jobs),
        }

    def told(self) -> dict[str, list[str]]:
        """The same names, as the journal tells them."""
        kinds = {
            "workload": "workloads", "volume": "volumes", "pod": "pods",
            "snapshot": "snapshots", "image": "images", "job": "jobs",
        }  # fmt: skip
        there: dict[str, set[str]] = {plural: set() for plural in kinds.values()}
        for entry in self.engine.journal.after(0):
            if entry.kind not in kinds:
                continue
            names = there[kinds[entry.kind]]
            assert (entry.name in names) == (entry.action != "created"), entry
            if entry.action == "deleted":
                names.remove(entry.name)
            else:
                names.add(entry.name)
        return {plural: sorted(names) for plural, names in there.items()}

    async def require_empty(self, **kept: list[str]) -> None:
        """Wait until nothing exists but what is named."""
        expected = {kind: kept.get(kind, []) for kind in self.census()}

        async def census() -> Mapping[str, list[str]]:
            return self.census()

        await eventually(census, lambda found: found == expected)


async def eventually(read: Callable[[], Awaitable[T]], good: Callable[[T], bool]) -> T:
    """The first value that is good; fails with the last one when patience is over."""
    deadline = time.monotonic() + PATIENCE
    while True:
        value = await read()
        if good(value):
            return value
        assert time.monotonic() < deadline, f"never came about; last seen: {value}"
        await asyncio.sleep(0.001)


async def refused(call: Awaitable[Any]) -> SandkitError:
    """The error of a call that must be refused."""
    try:
        answer = await call
    except SandkitError as error:
        return error
    raise AssertionError(f"not refused: {answer}")
