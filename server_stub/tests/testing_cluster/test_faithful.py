"""The abstract cluster keeps the contract; `control_plane/tests` holds the real API server to it too."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from sandkit_server.testing.cluster import FakeCluster
from sandkit_server.testing.contracts.cluster import ClusterContract, Eventually


class TestAbstractCluster(ClusterContract):
    @pytest.fixture
    def cluster(self) -> FakeCluster:
        return FakeCluster()

    @pytest.fixture
    def eventually(self, cluster: FakeCluster) -> Eventually:
        async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
            for _ in range(20):
                if await condition():
                    return
                cluster.collect()
            raise AssertionError("it never came")

        return eventually
