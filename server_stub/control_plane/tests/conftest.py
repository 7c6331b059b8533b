"""Tests on a real control plane: `make control-plane`. They are outside of `make test`, which needs no Go.

One control plane per session, one namespace per test. What stops, restarts or compacts it does so to a second
one (`own_plane`), so that the others are not disturbed.
"""

from __future__ import annotations

import gc
import warnings
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from sandkit_server.kubernetes.http_cluster import HttpCluster
from sandkit_server.testing.control_plane import programs as building
from sandkit_server.testing.control_plane.identities import Identity
from sandkit_server.testing.control_plane.plane import ControlPlane
from sandkit_server.testing.control_plane.programs import Programs


@pytest.fixture(autouse=True)
def half_open() -> Iterator[None]:
    """Free the sockets of tasks that were cancelled in the middle of a TLS handshake.

    The HTTP client leaves them to the garbage collector, which would make them a warning of whichever test it
    meets. So it comes between the tests.
    """
    gc.disable()
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    gc.enable()


@pytest.fixture(scope="session")
def programs() -> Programs:
    return building.build()


@pytest.fixture(scope="session")
def plane(programs: Programs) -> Iterator[ControlPlane]:
    """The control plane all tests share. Nobody stops it or its API server."""
    with ControlPlane(programs) as started:
        yield started


@pytest.fixture(scope="session")
def own_plane(programs: Programs) -> Iterator[ControlPlane]:
    """A control plane to stop, restart and compact; tests leave it running."""
    with ControlPlane(programs) as started:
        yield started


@pytest.fixture
def namespace(plane: ControlPlane) -> Iterator[str]:
    """A namespace that nobody else uses."""
    name = plane.administration.create_namespace()
    yield name
    plane.administration.delete_namespace(name)


@pytest.fixture
async def cluster(plane: ControlPlane, namespace: str) -> AsyncIterator[HttpCluster]:
    """The test's namespace, as the administrator."""
    async with HttpCluster(plane.connection(namespace), field_manager="sandkit-tests") as opened:
        yield opened


@pytest.fixture
async def open_cluster(
    plane: ControlPlane, namespace: str
) -> AsyncIterator[Callable[[Identity], HttpCluster]]:
    """The test's namespace, as somebody else; closed at the end of the test."""
    opened: list[HttpCluster] = []

    def open_as(identity: Identity) -> HttpCluster:
        cluster = HttpCluster(plane.connection(namespace, identity), field_manager="sandkit-tests")
        opened.append(cluster)
        return cluster

    yield open_as
    for cluster in opened:
        await cluster.close()
