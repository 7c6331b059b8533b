"""The Kubernetes runtime keeps the contracts of the ports on a real control plane, with the chart's roles."""

from __future__ import annotations

import pytest

from sandkit_server.core.ports import (
    ClaimStore,
    OwnerReference,
    PoolStore,
    Ports,
    SnapshotStore,
    WorkloadProvider,
)
from sandkit_server.kubernetes import calls
from sandkit_server.kubernetes.resources import SECRETS
from sandkit_server.testing.contracts.claim_store import ClaimStoreContract
from sandkit_server.testing.contracts.pool_store import PoolStoreContract
from sandkit_server.testing.contracts.snapshot_store import SnapshotStoreContract
from sandkit_server.testing.contracts.workload_provider import WorkloadProviderContract

from .conftest import Place


@pytest.fixture
async def ports(place: Place) -> Ports:
    _, ports = await place.server()
    return ports


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
    async def owners(self, place: Place) -> tuple[OwnerReference, OwnerReference]:
        """Secrets, since the garbage collector takes what nobody owns any more."""
        return await _owner(place, "first"), await _owner(place, "second")


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


async def _owner(place: Place, name: str) -> OwnerReference:
    made = await place.admin.send(calls.create(SECRETS, {"metadata": {"name": name}}))
    return OwnerReference(
        api_version=made["apiVersion"], kind=made["kind"], name=name, uid=made["metadata"]["uid"]
    )
