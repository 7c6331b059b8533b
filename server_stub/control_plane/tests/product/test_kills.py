"""Server and controller are killed before and after every one of their writes, and everything converges.

A first life tells the writes; then one life is led per write and moment, several namespaces at a time.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import pytest

from sandkit_server.core.reconciliation import Reconciler
from sandkit_server.core.removal import Removal
from sandkit_server.testing.control_plane.harness.points import Actor

from . import life
from .conftest import Settle
from .life import Client
from .writes import Kill, Ledger, Moment, Write

# Connections of killed processes are left to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

# A life, or the part of one that is led.
Lead = Callable[[Client, int], Awaitable[None]]

# Lives at a time: each waits for other processes most of its time.
_LANES = 6
# Some writes are not sent in every life: the garbage collector may be first, or a look come twice.
_TRIES = 3
_CREATION = {"create persistentvolumeclaims", "create batchsandboxes", "patch persistentvolumeclaims"}
_SERVED = _CREATION | {
    "patch batchsandboxes",
    "delete batchsandboxes",
    "create sandboxsnapshots",
    "delete sandboxsnapshots",
}
_CONTROLLED = {
    "create pods",
    "delete pods",
    "create sandboxsnapshots",
    "delete sandboxsnapshots",
    "create jobs",
    *(f"patch batchsandboxes/status {phase}" for phase in ("Succeed", "Pausing", "Paused", "Resuming")),
    "patch sandboxsnapshots/status Succeed",
}

_log = logging.getLogger(__name__)


class Campaign:
    """One life per kill, until none is left.

    Attributes:
        failures: What went wrong, by kill.
        missed: Those whose write was sent in none of the lives it was waited for in.
    """

    def __init__(self, settle: Settle, kills: Sequence[Kill], lead: Lead) -> None:
        self._settle = settle
        self._lead = lead
        self._left = deque(enumerate(kills))
        self.failures: list[str] = []
        self.missed: list[Kill] = []

    async def run(self) -> None:
        """Lead the lives, some at a time."""
        await asyncio.gather(*(self._lane() for _ in range(_LANES)))

    async def _lane(self) -> None:
        while self._left:
            ledger = Ledger()
            async with self._settle(ledger) as client:
                try:
                    await self._lives(client, ledger)
                except Exception as error:  # noqa: BLE001 - told with all the others
                    self.failures.append(f"{ledger.strike}: {error!r}")

    async def _lives(self, client: Client, ledger: Ledger) -> None:
        """Until none is left, or one went wrong: what it left behind would be told of the next."""
        while self._left:
            number, kill = self._left.popleft()
            for attempt in range(_TRIES):
                ledger.begin(kill)
                await self._lead(client, number * _TRIES + attempt)
                if kill.done:
                    # Told by pytest with --log-cli-level=INFO.
                    _log.info("%s", kill)
                    break
            else:
                _log.info("not %s", kill)
                self.missed.append(kill)


async def _all_killed(settle: Settle, victim: Actor, lead: Lead, expected: set[str]) -> None:
    kills = [
        Kill(write, moment)
        for write in await _recorded(settle, lead)
        if write.actor is victim
        for moment in Moment
    ]
    assert {kill.write.what for kill in kills} >= expected, "the life that was recorded was no whole one"
    campaign = Campaign(settle, kills, lead)
    await campaign.run()
    assert not campaign.failures, "\n".join(campaign.failures)
    # Every life has its first of these; how often a look has to write something again depends on the machine.
    missed = [str(each) for each in campaign.missed if each.write.what in expected and each.write.nth == 1]
    assert not missed, missed


async def _recorded(settle: Settle, lead: Lead) -> Sequence[Write]:
    ledger = Ledger()
    async with settle(ledger) as client:
        ledger.begin()
        await lead(client, 0)
        return ledger.writes


@pytest.mark.parametrize(
    ("victim", "expected"), [(Actor.SERVER, _SERVED), (Actor.CONTROLLER, _CONTROLLED)], ids=list(Actor)[:2]
)
async def test_whoever_is_killed_at_a_write_everything_converges(
    settle: Settle, victim: Actor, expected: set[str]
) -> None:
    await _all_killed(settle, victim, Client.live, expected)


async def test_a_create_that_died_with_its_server_and_is_not_repeated_leaves_nothing(settle: Settle) -> None:
    await _all_killed(settle, Actor.SERVER, Client.give_up, _CREATION | {"delete batchsandboxes"})


@pytest.mark.parametrize(
    ("left_out", "moment", "says"),
    [
        pytest.param((Removal, "reclaim"), Moment.BEFORE, "does not converge", id="claims without a sandbox"),
        pytest.param((Reconciler, "_own"), Moment.AFTER, "does not become", id="claims without an owner"),
    ],
)
async def test_a_server_that_leaves_what_another_one_began_is_found(
    settle: Settle,
    left_out: tuple[object, str],
    moment: Moment,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ledger = Ledger()
    async with settle(ledger) as client:
        monkeypatch.setattr(*left_out, _do_nothing)
        # It never comes about, however long that takes.
        monkeypatch.setattr(life, "PATIENCE", 10.0)
        ledger.begin(Kill(Write(actor=Actor.SERVER, what="create batchsandboxes", nth=1), moment))
        with pytest.raises(AssertionError, match=says):
            await client.give_up(0)


async def _do_nothing(*_: object) -> None:
    """Instead of a step of the product."""
