"""The objects of the engine. They change only through the tables, which keep the journal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from sandkit_server.core.model import (
    CreatePool,
    SandboxState,
    SnapshotState,
    Volume,
)
from sandkit_server.core.ports import OwnerReference, Workload, WorkloadSpec

API_VERSION = "sandbox.opensandbox.io/v1alpha1"
WORKLOAD_KIND = "BatchSandbox"

Files = dict[str, bytes]


@dataclass(slots=True, kw_only=True)
class VolumeRecord:
    """A claim with its contents. ``mounted`` holds the uids of the pods that use it.

    ``version`` counts its changes.
    """

    name: str
    uid: str
    created_at: datetime
    labels: dict[str, str]
    owners: list[OwnerReference] = field(default_factory=list)
    files: Files = field(default_factory=dict)
    storage: str | None = None
    mounted: set[str] = field(default_factory=set)
    terminating: bool = False
    version: int = 0


@dataclass(slots=True, kw_only=True)
class ProcessRecord:
    """A process of a pod, running or frozen in place."""

    pid: int
    command: tuple[str, ...]
    started_at: datetime
    frozen: bool = False


@dataclass(slots=True, kw_only=True)
class PodRecord:
    """A running container; it belongs to a sandbox, or to a pool while it is warm.

    Attributes:
        image_ref: What it was started from.
        base_files: Files of that image; the root filesystem begins as a copy of them.
    """

    uid: str
    name: str
    image_ref: str
    env: Mapping[str, str] = field(repr=False)
    processes: list[ProcessRecord]
    rootfs: Files = field(default_factory=dict)
    volumes: tuple[Volume, ...] = ()
    sandbox_id: str | None = None
    pool: str | None = None


@dataclass(slots=True, kw_only=True)
class WorkloadRecord:
    """A sandbox as an object: the user's intent, what became of it, and where it stands.

    Attributes:
        version: Counts changes; the compare-and-set of every mutation.
        generation: Counts intents; a pause attempt is named after it.
        pause_snapshot: Id of the snapshot a resume starts from.
        port: The same thing as the core sees it; replaced with every change.
    """

    spec: WorkloadSpec
    uid: str
    created_at: datetime
    state: SandboxState
    last_transition_at: datetime
    expires_at: datetime | None
    metadata: Mapping[str, str]
    port: Workload
    image_uri: str | None = None
    reason: str | None = None
    message: str | None = None
    version: int = 1
    generation: int = 1
    replicas: int = 1
    ever_ready: bool = False
    pool_ref: str | None = None
    pause_snapshot: str | None = None
    output: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The sandbox id, which is the object's name too."""
        return self.spec.sandbox_id


@dataclass(slots=True, kw_only=True)
class SnapshotRecord:
    """A root filesystem kept as an image, for a pause or for a user."""

    id: str
    uid: str
    sandbox_id: str
    purpose: Literal["pause", "user"]
    state: SnapshotState
    created_at: datetime
    last_transition_at: datetime
    name: str | None = None
    reason: str | None = None
    message: str | None = None
    image_ref: str | None = None
    request_digest: str = ""
    generation: int = 0
    version: int = 1
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRecord:
    """An image in the registry."""

    ref: str
    digest: str
    files: Mapping[str, bytes] = field(repr=False)


@dataclass(slots=True, kw_only=True)
class JobRecord:
    """A commit job."""

    name: str
    sandbox_id: str
    snapshot_id: str
    phase: Literal["Running", "Succeeded", "Failed"] = "Running"


@dataclass(slots=True, kw_only=True)
class PoolRecord:
    """A pool; its warm pods are found among the pods."""

    request: CreatePool
    created_at: datetime
    revision: str
