"""A node on the shared control plane, and namespaces in which the product and its clients are at work."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from sandkit_server.kubernetes.http_cluster import HttpCluster
from sandkit_server.testing.control_plane.harness.composition import PROVIDERS, Place, prepare
from sandkit_server.testing.control_plane.harness.points import Actor
from sandkit_server.testing.control_plane.identities import Address
from sandkit_server.testing.control_plane.node.api import NodeApi
from sandkit_server.testing.control_plane.node.kubelet import Node, NodeOptions
from sandkit_server.testing.control_plane.plane import ControlPlane
from sandkit_server.testing.control_plane.programs import Programs

from .life import Client
from .product import at_work
from .writes import Ledger

# Opens a namespace with the product and a client in it, for one after the other of many lives.
Settle = Callable[[Ledger], AbstractAsyncContextManager[Client]]


@pytest.fixture
async def settle(plane: ControlPlane, programs: Programs) -> AsyncIterator[Settle]:
    """On the shared control plane."""
    async with node_of(plane):
        yield lambda ledger: settled(prepare(plane, programs, PROVIDERS[0]), ledger)


@pytest.fixture(autouse=True)
def half_open() -> Iterator[None]:
    """Free the sockets of tasks that were cancelled in the middle of a TLS handshake.

    The HTTP client leaves them to the garbage collector; here they would be another test's warning.
    """
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@asynccontextmanager
async def node_of(plane: ControlPlane) -> AsyncIterator[None]:
    """A node that runs every pod of the control plane."""
    async with NodeApi(plane.connection()) as api:
        node = Node(api, NodeOptions())
        await node.register()
        running = asyncio.ensure_future(node.run())
        try:
            yield
            assert not running.done(), running
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


@asynccontextmanager
async def settled(place: Place, ledger: Ledger, address: Address | None = None) -> AsyncIterator[Client]:
    """The product under the chart's accounts, and a client; it reaches the API server at ``address``."""
    plane, namespace = place.plane, place.namespace
    reached = address or plane.address

    def connect(actor: Actor) -> HttpCluster:
        connection = reached.connection(place.accounts[actor], namespace)
        return HttpCluster(connection, field_manager=f"sandkit-{actor}")

    try:
        async with (
            HttpCluster(plane.connection(namespace), field_manager="sandkit-tests") as admin,
            at_work(connect, ledger) as product,
        ):
            client = Client(product, admin)
            await client.settle()
            yield client
    finally:
        plane.administration.delete_namespace(namespace)
