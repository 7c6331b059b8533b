"""The Kubernetes runtime keeps the contracts of the ports, over an abstract cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from sandkit_server.core.policy import Policy
from sandkit_server.core.ports import (
    ClaimStore,
    OwnerReference,
    PoolStore,
    Ports,
    SnapshotStore,
    WorkloadProvider,
)
from sandkit_server.kubernetes import calls
from sandkit_server.kubernetes.resources import JOBS
from sandkit_server.runtimes.kubernetes import KubernetesRuntime, KubernetesSettings
from sandkit_server.testing.backstage import AbstractCluster, Backstage
from sandkit_server.testing.contracts.claim_store import ClaimStoreContract
from sandkit_server.testing.contracts.pool_store import PoolStoreContract
from sandkit_server.testing.contracts.snapshot_store import SnapshotStoreContract
from sandkit_server.testing.contracts.workload_provider import WorkloadProviderContract


@pytest.fixture
def cluster() -> AbstractCluster:
    return AbstractCluster(now=lambda: datetime.now(UTC))


@pytest.fixture
def provider() -> str:
    return "batchsandbox"


@pytest.fixture
async def ports(cluster: AbstractCluster, provider: str) -> AsyncIterator[Ports]:
    kept: list[Ports] = []

    def keep(ports: Ports) -> Ports:
        kept.append(ports)
        return ports

    backstage = Backstage(cluster)
    settings = KubernetesSettings(endpoint_secret=b"secret", workload_provider=provider)
    runtime = KubernetesRuntime(cluster, settings, Policy(), lambda: "api.test:80", keep)
    backstage.start()
    await runtime.start()
    yield kept[0]
    await runtime.close()
    await backstage.stop()


@pytest.fixture
def workloads(ports: Ports) -> WorkloadProvider:
    return ports.workloads


@pytest.fixture
def store(ports: Ports) -> ClaimStore:
    return ports.claims


@pytest.fixture
def snapshots(ports: Ports) -> SnapshotStore:
    return ports.snapshots


@pytest.fixture
def pools(ports: Ports) -> PoolStore:
    return ports.pools


class TestClaims(ClaimStoreContract):
    @pytest.fixture
    async def owners(self, cluster: AbstractCluster) -> tuple[OwnerReference, OwnerReference]:
        """Jobs, since what nobody owns any more is collected."""
        first, second = (_owner(cluster, name) for name in ("first", "second"))
        return first, second


class TestWorkloads(WorkloadProviderContract):
    pass


class TestSnapshots(SnapshotStoreContract):
    pass


class TestPools(PoolStoreContract):
    pass


class TestAgentSandboxes(WorkloadProviderContract):
    @pytest.fixture
    def provider(self) -> str:
        return "agent-sandbox"


def _owner(cluster: AbstractCluster, name: str) -> OwnerReference:
    made = cluster.act(calls.create(JOBS, {"metadata": {"name": name}, "spec": {}}))
    return OwnerReference(
        api_version=made["apiVersion"], kind=made["kind"], name=name, uid=made["metadata"]["uid"]
    )
