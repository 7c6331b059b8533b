"""A trace that was found on the model breaks the same promise when its writes are sent to a cluster."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from sandkit_server.testing.cluster import FakeCluster
from sandkit_server.testing.contracts.replaying import ReplayContract
from sandkit_server.testing.explorer.replaying import Eventually


class TestAbstractCluster(ReplayContract):
    @pytest.fixture
    def cluster(self) -> FakeCluster:
        return FakeCluster()

    @pytest.fixture
    def eventually(self, cluster: FakeCluster) -> Eventually:
        async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
            cluster.collect()
            assert await condition()

        return eventually
