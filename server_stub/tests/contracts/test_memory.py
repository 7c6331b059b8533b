"""The memory runtime keeps the contracts of the ports."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sandkit_server.core.policy import Policy
from sandkit_server.core.ports import ClaimStore, PoolStore, SnapshotStore, WorkloadProvider
from sandkit_server.runtimes.memory import MemoryEngine, MemoryRuntime, MemorySettings
from sandkit_server.testing.contracts.claim_store import ClaimStoreContract
from sandkit_server.testing.contracts.pool_store import PoolStoreContract
from sandkit_server.testing.contracts.snapshot_store import SnapshotStoreContract
from sandkit_server.testing.contracts.workload_provider import WorkloadProviderContract


@pytest.fixture
async def runtime() -> AsyncIterator[MemoryRuntime]:
    made = MemoryRuntime(MemoryEngine(MemorySettings(transition_seconds=0.002)), Policy(), lambda: "host:1")
    await made.start()
    yield made
    await made.close()


@pytest.fixture
def store(runtime: MemoryRuntime) -> ClaimStore:
    return runtime.ports.claims


@pytest.fixture
def workloads(runtime: MemoryRuntime) -> WorkloadProvider:
    return runtime.ports.workloads


@pytest.fixture
def snapshots(runtime: MemoryRuntime) -> SnapshotStore:
    return runtime.ports.snapshots


@pytest.fixture
def pools(runtime: MemoryRuntime) -> PoolStore:
    return runtime.ports.pools


class TestClaims(ClaimStoreContract):
    pass


class TestWorkloads(WorkloadProviderContract):
    pass


class TestSnapshots(SnapshotStoreContract):
    pass


class TestPools(PoolStoreContract):
    pass
