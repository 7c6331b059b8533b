from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sandkit_server.kubernetes.http_cluster import HttpCluster
from sandkit_server.testing.control_plane.fault_proxy import FaultProxy
from sandkit_server.testing.control_plane.plane import ControlPlane


@pytest.fixture
async def proxy(plane: ControlPlane) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(plane.address) as started:
        yield started


@pytest.fixture
async def through(proxy: FaultProxy, plane: ControlPlane, namespace: str) -> AsyncIterator[HttpCluster]:
    """The test's namespace, seen through the proxy."""
    connection = proxy.address.connection(plane.admin, namespace)
    async with HttpCluster(connection, field_manager="through") as opened:
        yield opened
