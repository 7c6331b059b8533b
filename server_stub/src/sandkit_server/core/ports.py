"""What the core needs from an engine. Adapters in ``runtimes`` implement these protocols.

Every mutation of a workload is a compare-and-set on its version, so of racing requests one wins on any
engine, with any number of servers. Calls raise the errors of :mod:`sandkit_server.core.port_errors` and
nothing else on purpose. The executable form of these contracts are the suites in
``sandkit_server.testing.contracts``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from sandkit_server.core.model import (
    CreatePool,
    CreateSandbox,
    Endpoint,
    EndpointQuery,
    Pool,
    PoolCapacity,
    Sandbox,
    Snapshot,
)


class PauseMode(StrEnum):
    """How a runtime pauses.

    The root filesystem becomes an image; the processes stop in place; or compute is released and nothing kept
    but the volumes.
    """

    ROOTFS = "rootfs"
    FREEZE = "freeze"
    COLD = "cold"


class DiagnosticsScope(StrEnum):
    """Which part of a sandbox a diagnostic text is about."""

    CONTAINER = "container"
    LIFECYCLE = "lifecycle"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRef:
    """What an owner reference needs to know about an object; a provider leaves unknown fields empty."""

    api_version: str
    kind: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerReference:
    """An edge from a claim to its owner, as in Kubernetes' ``metadata.ownerReferences``."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool = False
    block_owner_deletion: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claim as the engine holds it. ``uid`` tells a claim from a later one of the same name.

    Attributes:
        version: Opaque; changes with every change of the claim, so also when the engine binds it.
    """

    name: str
    uid: str
    labels: Mapping[str, str]
    owners: tuple[OwnerReference, ...]
    created_at: datetime
    version: str = field(compare=False)
    terminating: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimTemplate:
    """A claim to be made; ``None`` leaves the choice to the engine."""

    name: str
    labels: Mapping[str, str]
    storage: str | None = None
    storage_class: str | None = None
    access_modes: tuple[str, ...] | None = None


class ClaimStore(Protocol):
    """Persistent volume claims, or what the engine has in their place."""

    async def get(self, name: str) -> Claim:
        """Read one claim. Raises NotFound, Forbidden, Unavailable."""
        ...

    async def list(self, labels: Mapping[str, str]) -> Sequence[Claim]:
        """All claims carrying all of ``labels``. Raises Forbidden, Unavailable."""
        ...

    async def create(self, template: ClaimTemplate) -> Claim:
        """Make a claim. Raises AlreadyExists, Invalid, Forbidden, Exhausted, Unavailable."""
        ...

    async def add_owner(self, name: str, uid: str, owner: OwnerReference) -> Claim:
        """Add one owner to the claim of this uid and keep all others; adding it twice changes nothing.

        Gives the claim as it is then: one that was terminating still is.
        Raises NotFound, Forbidden, Unsupported (an engine without owner references), Unavailable.
        """
        ...

    async def delete(self, name: str, uid: str, version: str | None = None) -> None:
        """Delete the claim of this uid, at this version if given; one in use terminates when it is released.

        Raises NotFound, VersionConflict, Forbidden, Unavailable.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadSpec:
    """A checked create request with every default filled in.

    Attributes:
        request: The request; its ``env`` and ``entrypoint`` are superseded by the fields here.
        image_ref: The image a snapshot resolved to; ``None`` when the request names an image or a pool.
        request_digest: Digest of the request as sent, kept on the workload to recognise a repeated create.
    """

    sandbox_id: str
    request: CreateSandbox
    entrypoint: tuple[str, ...]
    request_digest: str
    env: Mapping[str, str] = field(repr=False)
    expires_at: datetime | None = None
    image_ref: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A workload as the engine holds it.

    Attributes:
        sandbox: What the API shows of it, ready to be answered.
        ref: Identity for owner references, of whatever object the provider made.
        version: Opaque; changes with every change of the object.
        replicas: Copies of the sandbox; only 1 can be paused (PAU-16).
        ever_ready: Whether it has been Running since it was made; one that never was is rolled back when it
            fails.
    """

    sandbox: Sandbox
    ref: ObjectRef
    version: str
    request_digest: str
    replicas: int = 1
    ever_ready: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a runtime can do; ``pause`` is ``None`` where it cannot pause."""

    pause: PauseMode | None
    snapshots: bool
    pools: bool
    volume_backends: frozenset[str]


class WorkloadProvider(Protocol):
    """The objects sandboxes run as."""

    @property
    def capabilities(self) -> Capabilities:
        """What this runtime can do; constant."""
        ...

    async def preflight(self, spec: WorkloadSpec) -> None:
        """Refuse, before anything is made, what ``create`` is certain to refuse.

        Raises Invalid (the engine cannot run it as asked, also where it could only ignore a wish), Exhausted,
        Unsupported, NotFound (the pool), Unavailable.
        """
        ...

    async def create(self, spec: WorkloadSpec) -> Workload:
        """Make the workload and return without waiting for it to run.

        Raises AlreadyExists (the id is taken), Invalid, Forbidden, Exhausted (pool, quota), Unsupported,
        NotFound (the pool), Unavailable.
        """
        ...

    async def get(self, sandbox_id: str) -> Workload:
        """Read one object, cheaply. Raises NotFound, Forbidden, Unavailable."""
        ...

    async def list(self) -> Sequence[Workload]:
        """All workloads in order of creation. Raises Forbidden, Unavailable."""
        ...

    async def delete(self, sandbox_id: str) -> None:
        """Have the workload taken down, with its pods, commit jobs and pause snapshots.

        Returns once the engine has accepted it for good; the rest may follow. Raises NotFound, Forbidden,
        Unavailable.
        """
        ...

    async def abandon(self, sandbox_id: str, version: str, reason: str, message: str) -> None:
        """Release everything a workload that never became ready holds.

        Where the engine can, an inert record stays that answers ``get`` with state Failed and the reason,
        mounts nothing and is removed by ``delete``; where it cannot, this is ``delete``. Raises as
        ``delete``, and VersionConflict.
        """
        ...

    async def wait_ready(self, sandbox_id: str) -> Workload:
        """Return when the workload has left Pending for good. Raises NeverReady, NotFound, Unavailable."""
        ...

    async def request_pause(self, sandbox_id: str, version: str) -> Workload:
        """Record the intent to pause; a new attempt each time.

        Raises VersionConflict, NotFound, Invalid, Unavailable.
        """
        ...

    async def request_resume(self, sandbox_id: str, version: str) -> Workload:
        """Record the intent to resume; a new attempt each time.

        Raises VersionConflict, NotFound, Invalid, Unavailable.
        """
        ...

    async def set_expiry(self, sandbox_id: str, version: str, expires_at: datetime) -> Workload:
        """Move the instant of automatic termination. Raises VersionConflict, NotFound, Unavailable."""
        ...

    async def set_metadata(self, sandbox_id: str, version: str, metadata: Mapping[str, str]) -> Workload:
        """Replace the metadata. Raises VersionConflict, NotFound, Invalid, Unavailable."""
        ...

    async def endpoint(self, sandbox_id: str, query: EndpointQuery) -> Endpoint:
        """Where a port can be reached. Raises NotFound, Unavailable."""
        ...

    async def logs(self, sandbox_id: str, scope: DiagnosticsScope) -> str:
        """What was printed, one line each, oldest first. Raises NotFound, Unavailable."""
        ...

    async def events(self, sandbox_id: str, scope: DiagnosticsScope) -> str:
        """What happened, one line each beginning with its instant, oldest first.

        Raises NotFound, Unavailable.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotSpec:
    """A snapshot to be taken of the workload at ``source_version``."""

    id: str
    sandbox_id: str
    source_version: str
    request_digest: str
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSnapshot:
    """A user snapshot as the engine holds it; ``image_ref`` is set once it is Ready."""

    snapshot: Snapshot
    version: str
    request_digest: str
    image_ref: str | None = None


class SnapshotStore(Protocol):
    """Snapshots users asked for. Those that belong to a pause are the provider's own affair."""

    async def create(self, spec: SnapshotSpec) -> StoredSnapshot:
        """Begin a snapshot.

        Raises AlreadyExists, VersionConflict (the source changed), NotFound (no source), Unavailable.
        """
        ...

    async def get(self, snapshot_id: str) -> StoredSnapshot:
        """Read one snapshot. Raises NotFound, Unavailable."""
        ...

    async def list(self) -> Sequence[StoredSnapshot]:
        """All user snapshots in order of creation. Raises Unavailable."""
        ...

    async def delete(self, snapshot_id: str, version: str) -> None:
        """Delete a snapshot and, where the registry allows, its image.

        Raises NotFound, VersionConflict, Unavailable.
        """
        ...


class PoolStore(Protocol):
    """Pools of warm sandboxes. A runtime without pools raises Unsupported from every method."""

    async def create(self, pool: CreatePool) -> Pool:
        """Make a pool; it fills by itself. Raises AlreadyExists, Invalid, Unavailable."""
        ...

    async def get(self, name: str) -> Pool:
        """Read one pool. Raises NotFound, Unavailable."""
        ...

    async def list(self) -> Sequence[Pool]:
        """All pools by name. Raises Unavailable."""
        ...

    async def set_capacity(self, name: str, capacity: PoolCapacity) -> Pool:
        """Replace the capacity; sandboxes in use are not touched. Raises NotFound, Invalid, Unavailable."""
        ...

    async def delete(self, name: str) -> None:
        """Delete a pool and its warm sandboxes.

        Raises NotFound, VersionConflict (sandboxes are in use), Unavailable.
        """
        ...


class Clock(Protocol):
    """Time. Instants are timezone-aware UTC and never go back."""

    def now(self) -> datetime:
        """The present instant."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after at least ``seconds`` of this clock's time."""
        ...


class IdSource(Protocol):
    """New identifiers: unique, unguessable, valid as a DNS label and as a label value."""

    def new(self, prefix: str) -> str:
        """A fresh identifier that begins with ``prefix`` and a hyphen."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Everything the service works through."""

    workloads: WorkloadProvider
    claims: ClaimStore
    snapshots: SnapshotStore
    pools: PoolStore
    clock: Clock
    ids: IdSource
