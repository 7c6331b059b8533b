"""The terms the server thinks in: immutable values, shared between callers without copying.

Instants are timezone-aware UTC datetimes, durations are seconds. A value that is absent is ``None``;
mappings are never mutated after construction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Generic, TypeVar

from sandkit_server._generated.states import SandboxState, SnapshotState

__all__ = [
    "Caller",
    "ClaimSource",
    "CreatePool",
    "CreateSandbox",
    "Endpoint",
    "EndpointQuery",
    "HostSource",
    "ImageSource",
    "NetworkPolicy",
    "NetworkRule",
    "OssfsSource",
    "Page",
    "PageRequest",
    "Platform",
    "Pool",
    "PoolCapacity",
    "PoolContainer",
    "PoolStatus",
    "PoolTemplate",
    "RegistryAuth",
    "Sandbox",
    "SandboxFilter",
    "SandboxState",
    "SandboxStatus",
    "Snapshot",
    "SnapshotFilter",
    "SnapshotState",
    "SnapshotStatus",
    "Volume",
]

T = TypeVar("T")

_EMPTY: Mapping[str, str] = MappingProxyType({})


def _empty() -> Mapping[str, str]:
    return _EMPTY


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. ``key_id`` is a stable, non-secret name of the API key, never the key itself."""

    key_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryAuth:
    """Credentials for pulling the image of one create request; never shown or logged."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSource:
    """A container image by reference."""

    uri: str
    auth: RegistryAuth | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """Operating system and processor architecture, in the words of the OCI image specification."""

    os: str
    arch: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSource:
    """A directory of the node, below one of the prefixes the operator allows."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimSource:
    """A persistent volume claim, a named volume or a record, depending on the runtime (requirements VOL-*).

    ``storage`` is a Kubernetes quantity; ``None`` for size, class and modes means the operator's default.
    """

    claim_name: str
    create_if_not_exists: bool = True
    delete_on_sandbox_termination: bool = False
    storage_class: str | None = None
    storage: str | None = None
    access_modes: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OssfsSource:
    """A bucket of an S3-like object store, mounted through ossfs."""

    bucket: str
    endpoint: str
    version: str | None = None
    options: tuple[str, ...] | None = None
    access_key_id: str | None = field(default=None, repr=False)
    access_key_secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """One mount of a create request; a valid one names exactly one source."""

    name: str
    mount_path: str
    read_only: bool = False
    sub_path: str | None = None
    host: HostSource | None = None
    claim: ClaimSource | None = None
    ossfs: OssfsSource | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRule:
    """One egress rule: ``action`` is allow or deny, ``target`` a host name, wildcard or CIDR."""

    action: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPolicy:
    """What the sandbox may reach; ``default_action`` applies where no rule matches."""

    default_action: str | None = None
    egress: tuple[NetworkRule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateSandbox:
    """A create request as the caller sent it, decoded but not yet checked.

    ``timeout_seconds`` is ``None`` for no automatic expiry. ``env`` keeps ``None`` values: they mean "not
    set".
    """

    image: ImageSource | None = None
    snapshot_id: str | None = None
    entrypoint: tuple[str, ...] | None = None
    timeout_seconds: int | None = None
    resource_limits: Mapping[str, str] | None = None
    resource_requests: Mapping[str, str] | None = None
    env: Mapping[str, str | None] = field(default_factory=dict, repr=False)
    metadata: Mapping[str, str] = field(default_factory=_empty)
    extensions: Mapping[str, str] = field(default_factory=_empty)
    platform: Platform | None = None
    secure_access: bool = False
    network_policy: NetworkPolicy | None = None
    credential_proxy: bool = False
    volumes: tuple[Volume, ...] = ()

    @property
    def pool_ref(self) -> str | None:
        """Name of the pool to take a warm sandbox from, if any (extension ``poolRef``)."""
        return self.extensions.get("poolRef")


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxStatus:
    """Where a sandbox stands.

    ``last_transition_at`` moves strictly forward with each change of state (PAU-18).
    """

    state: SandboxState
    last_transition_at: datetime
    reason: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """What the API shows of a sandbox.

    Exactly one of ``image_uri`` and ``snapshot_id``, or neither from a pool.
    """

    id: str
    status: SandboxStatus
    entrypoint: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None = None
    image_uri: str | None = None
    snapshot_id: str | None = None
    platform: Platform | None = None
    metadata: Mapping[str, str] = field(default_factory=_empty)
    extensions: Mapping[str, str] = field(default_factory=_empty)


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxFilter:
    """Selects sandboxes: any of ``states`` (compared without regard to case) and all of ``metadata``."""

    states: frozenset[str] = frozenset()
    metadata: Mapping[str, str] = field(default_factory=_empty)


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A page by number, counted from 1."""

    page: int = 1
    page_size: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """One page of a listing, with the totals of the whole of it."""

    items: tuple[T, ...]
    page: int
    page_size: int
    total_items: int

    @property
    def total_pages(self) -> int:
        """Number of pages; 0 when there are no items."""
        return -(-self.total_items // self.page_size)

    @property
    def has_next_page(self) -> bool:
        """Whether a later page holds items."""
        return self.page < self.total_pages


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointQuery:
    """How to reach a port: through this server, or signed until an instant (epoch seconds); not both."""

    port: int
    use_server_proxy: bool = False
    expires: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An address without a scheme, and the headers a request to it must carry."""

    endpoint: str
    headers: Mapping[str, str] = field(default_factory=_empty, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotStatus:
    """Where a snapshot stands."""

    state: SnapshotState
    last_transition_at: datetime
    reason: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A snapshot a user asked for. It lives independently of the sandbox it was taken from."""

    id: str
    sandbox_id: str
    status: SnapshotStatus
    created_at: datetime
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotFilter:
    """Selects snapshots by source, exact name and any of ``states`` (without regard to case)."""

    sandbox_id: str | None = None
    name: str | None = None
    states: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolContainer:
    """One container of a pool's template; the first one is the sandbox."""

    image: str
    name: str | None = None
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=_empty, repr=False)
    resource_limits: Mapping[str, str] = field(default_factory=_empty)
    resource_requests: Mapping[str, str] = field(default_factory=_empty)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolTemplate:
    """What every warm sandbox of a pool is started from."""

    containers: tuple[PoolContainer, ...]
    labels: Mapping[str, str] = field(default_factory=_empty)
    annotations: Mapping[str, str] = field(default_factory=_empty)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolCapacity:
    """Sizes in sandboxes: the warm buffer is kept between its bounds, the whole pool too."""

    buffer_min: int
    buffer_max: int
    pool_min: int
    pool_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatePool:
    """A pool to be made."""

    name: str
    template: PoolTemplate
    capacity: PoolCapacity


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStatus:
    """Counts of sandboxes: ``total`` is ``available`` (warm) plus ``allocated`` (in use)."""

    total: int
    allocated: int
    available: int
    revision: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A pool of warm sandboxes."""

    name: str
    template: PoolTemplate
    capacity: PoolCapacity
    status: PoolStatus
    created_at: datetime
