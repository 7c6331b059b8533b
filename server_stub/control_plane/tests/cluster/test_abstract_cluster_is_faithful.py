"""What the abstract cluster is held to, and what the explorer finds on it, holds on a real API server too."""

from __future__ import annotations

import pytest

from sandkit_server.testing.contracts.cluster import ClusterContract
from sandkit_server.testing.contracts.cluster import Eventually as ClusterEventually
from sandkit_server.testing.contracts.replaying import ReplayContract
from sandkit_server.testing.explorer.replaying import Eventually

from .eventually import eventually as wait


class TestRealCluster(ClusterContract):
    @pytest.fixture
    def eventually(self) -> ClusterEventually:
        return wait


class TestTracesOnRealCluster(ReplayContract):
    @pytest.fixture
    def eventually(self) -> Eventually:
        return wait
