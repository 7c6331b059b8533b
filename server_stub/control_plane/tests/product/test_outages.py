"""Every watch is cut at every write, and the API server is killed in the middle: everything converges."""

from __future__ import annotations

import asyncio

import pytest

from sandkit_server.testing.control_plane.beside import node_of
from sandkit_server.testing.control_plane.fault_proxy import FaultProxy
from sandkit_server.testing.control_plane.harness.composition import PROVIDERS, prepare
from sandkit_server.testing.control_plane.harness.points import Actor
from sandkit_server.testing.control_plane.plane import ControlPlane
from sandkit_server.testing.control_plane.programs import Programs

from .conftest import settled
from .writes import Ledger, Moment, Write

# Connections of killed processes are left to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")


class Restart:
    """Strikes once: the API server is killed at a write, and started again while everybody goes on."""

    def __init__(self, plane: ControlPlane, actor: Actor, what: str, moment: Moment) -> None:
        self._plane = plane
        self._place = (Write(actor=actor, what=what, nth=1), moment)
        self._restarting: asyncio.Future[None] | None = None

    async def __call__(self, write: Write, moment: Moment) -> None:
        """Kill it if this is the place; before a write, the write meets an API server that is gone."""
        if self._restarting is None and (write, moment) == self._place:
            self._plane.stop_api_server()
            self._restarting = asyncio.ensure_future(asyncio.to_thread(self._plane.restart_api_server))

    async def done(self) -> None:
        """Return when it serves again."""
        assert self._restarting is not None, "the write was never sent"
        await self._restarting


@pytest.mark.parametrize("moment", Moment)
@pytest.mark.parametrize(
    ("actor", "what"),
    [(Actor.SERVER, "create batchsandboxes"), (Actor.CONTROLLER, "create jobs")],
    ids=["in a create", "in a pause"],
)
async def test_an_api_server_that_restarts_loses_nothing(
    own_plane: ControlPlane, programs: Programs, actor: Actor, what: str, moment: Moment
) -> None:
    ledger = Ledger()
    restart = Restart(own_plane, actor, what, moment)
    async with node_of(own_plane), settled(prepare(own_plane, programs, PROVIDERS[0]), ledger) as client:
        ledger.begin(restart)
        await client.live(0)
        await restart.done()


async def test_watches_that_are_cut_at_every_write_lose_nothing(
    plane: ControlPlane, programs: Programs
) -> None:
    ledger = Ledger()
    cut = 0

    async def strike(_: Write, __: Moment) -> None:
        nonlocal cut
        cut += proxy.cut_watches()

    async with (
        FaultProxy(plane.address) as proxy,
        node_of(plane),
        settled(prepare(plane, programs, PROVIDERS[0]), ledger, proxy.address) as client,
    ):
        ledger.begin(strike)
        await client.live(0)
    assert cut > len(ledger.writes), "each time at least one"
