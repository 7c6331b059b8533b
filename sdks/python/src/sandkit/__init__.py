"""Python SDK for the sandbox lifecycle API.

```python
from sandkit import Client

with Client() as client, client.sandboxes.create(image="python:3.12-slim") as sandbox:
    sandbox.wait_running()
    print(sandbox.endpoint(8000).url)
```

`AsyncClient` is the same, awaited. All errors derive from `SandkitError`; see `sandkit.errors` for the tree.
"""

from __future__ import annotations

from sandkit._async.client import AsyncClient, AsyncClientSettings
from sandkit._async.page import AsyncListing, AsyncPage
from sandkit._async.pools import AsyncPools
from sandkit._async.sandbox import AsyncSandbox
from sandkit._async.sandboxes import AsyncSandboxes
from sandkit._async.snapshot import AsyncSnapshot
from sandkit._async.snapshots import AsyncSnapshots
from sandkit._core.creation import DEFAULT_ENTRYPOINT, DEFAULT_RESOURCE_LIMITS, SandboxFields
from sandkit._core.endpoint import Endpoint
from sandkit._core.options import RequestOptions
from sandkit._generated.errors import ErrorCode
from sandkit._generated.models import (
    CredentialProxy,
    Health,
    HostVolume,
    ImageAuth,
    ImageSpec,
    NetworkPolicy,
    NetworkRule,
    OssfsVolume,
    Platform,
    Pool,
    PoolCapacity,
    PoolContainer,
    PoolEnvVar,
    PoolResources,
    PoolStatus,
    PoolTemplate,
    PoolTemplateMetadata,
    PoolTemplateSpec,
    PvcVolume,
    Version,
    Volume,
)
from sandkit._generated.states import SandboxState, SnapshotState
from sandkit._io_async import AsyncClock
from sandkit._io_sync import Clock
from sandkit._sync.client import Client, ClientSettings
from sandkit._sync.page import Page
from sandkit._sync.pools import Pools
from sandkit._sync.sandbox import Sandbox
from sandkit._sync.sandboxes import Sandboxes
from sandkit._sync.snapshot import Snapshot
from sandkit._sync.snapshots import Snapshots
from sandkit._version import __version__
from sandkit.errors import (
    ApiError,
    BadRequestError,
    CapacityExhaustedError,
    ClientClosedError,
    ConfigurationError,
    ConflictError,
    ConnectError,
    ErrorDetail,
    ForbiddenError,
    InvalidStateError,
    NotFoundError,
    NotSupportedError,
    Observation,
    PayloadTooLargeError,
    QuotaExceededError,
    RateLimitedError,
    RequestTimeoutError,
    ResponseDecodeError,
    SandkitError,
    ServerError,
    TransportError,
    UnauthorizedError,
    UnavailableError,
    UnexpectedStateError,
    UnsupportedMediaTypeError,
    WaitError,
    WaitTimeoutError,
)

__all__ = [
    "DEFAULT_ENTRYPOINT",
    "DEFAULT_RESOURCE_LIMITS",
    "ApiError",
    "AsyncClient",
    "AsyncClientSettings",
    "AsyncClock",
    "AsyncListing",
    "AsyncPage",
    "AsyncPools",
    "AsyncSandbox",
    "AsyncSandboxes",
    "AsyncSnapshot",
    "AsyncSnapshots",
    "BadRequestError",
    "CapacityExhaustedError",
    "Client",
    "ClientClosedError",
    "ClientSettings",
    "Clock",
    "ConfigurationError",
    "ConflictError",
    "ConnectError",
    "CredentialProxy",
    "Endpoint",
    "ErrorCode",
    "ErrorDetail",
    "ForbiddenError",
    "Health",
    "HostVolume",
    "ImageAuth",
    "ImageSpec",
    "InvalidStateError",
    "NetworkPolicy",
    "NetworkRule",
    "NotFoundError",
    "NotSupportedError",
    "Observation",
    "OssfsVolume",
    "Page",
    "PayloadTooLargeError",
    "Platform",
    "Pool",
    "PoolCapacity",
    "PoolContainer",
    "PoolEnvVar",
    "PoolResources",
    "PoolStatus",
    "PoolTemplate",
    "PoolTemplateMetadata",
    "PoolTemplateSpec",
    "Pools",
    "PvcVolume",
    "QuotaExceededError",
    "RateLimitedError",
    "RequestOptions",
    "RequestTimeoutError",
    "ResponseDecodeError",
    "Sandbox",
    "SandboxFields",
    "SandboxState",
    "Sandboxes",
    "SandkitError",
    "ServerError",
    "Snapshot",
    "SnapshotState",
    "Snapshots",
    "TransportError",
    "UnauthorizedError",
    "UnavailableError",
    "UnexpectedStateError",
    "UnsupportedMediaTypeError",
    "Version",
    "Volume",
    "WaitError",
    "WaitTimeoutError",
    "__version__",
]
