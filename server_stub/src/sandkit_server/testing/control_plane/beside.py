"""What works beside a test until its block ends: a node, a controller."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from sandkit_server.testing.control_plane.node.api import NodeApi
from sandkit_server.testing.control_plane.node.kubelet import Node, NodeOptions
from sandkit_server.testing.control_plane.plane import ControlPlane


@asynccontextmanager
async def beside(run: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Have something run that runs until it is cancelled, and may not end before."""
    task = asyncio.create_task(run())
    try:
        yield
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def node_of(plane: ControlPlane) -> AsyncIterator[None]:
    """A node that runs every pod of the control plane."""
    async with NodeApi(plane.connection()) as api:
        node = Node(api, NodeOptions())
        await node.register()
        async with beside(node.run):
            yield
