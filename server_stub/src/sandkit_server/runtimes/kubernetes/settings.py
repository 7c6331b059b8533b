"""What the operator of a Kubernetes runtime chooses, in the runtime's own terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

_EMPTY: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSettings:
    """What every sandbox's pod gets beside its request.

    Attributes:
        template: Pod template that lies under each one, as its file was read.
        image_pull_policy: ``None`` for Kubernetes' own default.
        snapshot_pull_secret: Name of the secret that images of snapshots are pulled with.
    """

    template: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    image_pull_policy: str | None = None
    snapshot_pull_secret: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesSettings:
    """Everything about one runtime but how its cluster is reached.

    Attributes:
        workload_provider: ``batchsandbox`` or ``agent-sandbox``.
        pods: What every pod gets.
        through_server: Tell clients addresses on this server even where a pod has its own.
        endpoint_secret: What access tokens are signed with; the same in all servers of one namespace.
        sync_seconds: How long the first lists may take.
        answer_seconds: How long a sandbox's port may take to answer a request that goes through this server.
        answer_bytes: Largest such answer that is passed on.
    """

    workload_provider: str = "batchsandbox"
    pods: PodSettings = field(default_factory=PodSettings)
    through_server: bool = False
    endpoint_secret: bytes = field(repr=False)
    sync_seconds: float = 30.0
    answer_seconds: float = 30.0
    answer_bytes: int = 16 * 1024 * 1024
