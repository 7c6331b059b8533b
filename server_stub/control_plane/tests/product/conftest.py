"""A node on the shared control plane, and namespaces in which the product and its clients are at work."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from sandkit_server.kubernetes.http_cluster import HttpCluster
from sandkit_server.testing.control_plane.beside import node_of
from sandkit_server.testing.control_plane.harness.composition import PROVIDERS, Place, prepare
from sandkit_server.testing.control_plane.harness.points import Actor
from sandkit_server.testing.control_plane.identities import Address
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
