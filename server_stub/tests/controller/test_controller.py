"""The whole controller over watch-fed caches: it follows changes, rests, and survives what goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from sandkit_server.controller import reconciler
from sandkit_server.controller.controller import Controller, Pace
from sandkit_server.controller.metrics import Metrics
from sandkit_server.core.model import SandboxState
from sandkit_server.core.port_errors import Exhausted, Unavailable
from sandkit_server.kubernetes.calls import Propagation, Verb, create, delete
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES, EVENTS, PODS, SNAPSHOTS
from sandkit_server.testing.cluster import FakeCluster, node
from sandkit_server.testing.cluster.fake import CONTROL_PLANE, WILLING

from .manual_clock import ManualClock, settle
from .world import CONFIG, ID, World, writes


class Town:
    """A controller at work over a cluster with nodes and a committer."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.world = World(cluster=FakeCluster(now=self.clock.now))
        self.metrics = Metrics()
        self.controller = self.new_controller()

    def new_controller(self) -> Controller:
        return Controller(self.world.cluster, self.clock, CONFIG, pace=Pace(resync=1e6), metrics=self.metrics)

    async def quiet(self) -> None:
        """Everybody acts until nothing changes."""
        for _ in range(200):
            before = self.world.cluster.state.version
            await settle()
            self.world.cluster.settle_with(*CONTROL_PLANE, node.terminate, *WILLING, self.world.commit)
            await settle()
            if self.world.cluster.state.version == before and self.controller.queue.is_idle:
                return
        raise AssertionError("the town does not come to rest")

    async def until(self, holds: Callable[[], bool], seconds: float = 60) -> None:
        for _ in range(int(seconds * 4)):
            await self.quiet()
            if holds():
                return
            await self.clock.advance(0.25)
        raise AssertionError("it does not come about")


@asynccontextmanager
async def at_work(town: Town) -> AsyncIterator[None]:
    task = asyncio.ensure_future(town.controller.run())
    try:
        await settle()
        yield
        assert not task.done(), "the controller crashed"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    town = Town()
    async with at_work(town):
        yield town


def calls(town: Town) -> list[str]:
    return [
        each for each in writes(town.world.cluster) if "events" not in each and not each.startswith("list")
    ]


async def test_a_whole_life_by_watches_alone(town: Town) -> None:
    world = town.world
    world.make()
    await town.quiet()
    assert world.state() is SandboxState.RUNNING
    assert calls(town) == ["create pods", "patch batchsandboxes/status"]
    for _ in range(2):
        world.ask(pause=True)
        await town.quiet()
        assert world.state() is SandboxState.PAUSED
        world.ask(pause=False)
        await town.quiet()
        assert world.state() is SandboxState.RUNNING
    world.cluster.act(delete(BATCH_SANDBOXES, ID, propagation=Propagation.FOREGROUND))
    await town.quiet()
    assert world.census() == {}
    # With its own writes seen at once, it reads nothing twice: create 2, each pause 9, each resume 4.
    assert len(calls(town)) == 2 + 2 * (9 + 4)


async def test_it_rests_when_nothing_changes(town: Town) -> None:
    town.world.make()
    town.world.make_pool()
    await town.quiet()
    town.world.cluster.sent.clear()
    await town.clock.advance(3600)
    await town.quiet()
    assert calls(town) == []


async def test_expiry_needs_no_change_to_be_noticed(town: Town) -> None:
    town.world.make(expireTime="2026-01-01T01:00:00Z")
    await town.quiet()
    await town.clock.advance(3599)
    await town.quiet()
    assert town.world.state() is SandboxState.RUNNING
    await town.clock.advance(2)
    await town.quiet()
    assert town.world.census() == {}


async def test_pools_and_sandboxes_that_wait_for_them(town: Town) -> None:
    town.world.make(poolRef="pool")
    await town.quiet()
    assert town.world.status().reason == "PoolNotFound"
    town.world.make_pool(bufferMin=0, bufferMax=0, poolMax=1)
    await town.until(lambda: town.world.state() is SandboxState.RUNNING)
    town.world.make("sbx-2", poolRef="pool")
    await town.quiet()
    assert town.world.status("sbx-2").reason == "PoolExhausted"
    town.world.cluster.act(delete(BATCH_SANDBOXES, ID, propagation=Propagation.FOREGROUND))
    await town.until(lambda: town.world.state("sbx-2") is SandboxState.RUNNING)


async def test_snapshots_of_one_sandbox_take_turns(town: Town) -> None:
    town.world.make()
    await town.quiet()
    for name in ("snap-1", "snap-2"):
        body = {"metadata": {"name": name}, "spec": {"sandboxName": ID}}
        town.world.cluster.act(create(SNAPSHOTS, body))
    await town.quiet()
    phases = [obj["status"]["phase"] for obj in town.world.cluster.all(SNAPSHOTS)]
    assert phases == ["Succeed", "Succeed"]
    assert calls(town).count("create jobs") == 2


async def test_cut_watches_and_a_forgotten_history_are_followed_again(town: Town) -> None:
    town.world.make()
    town.world.cluster.compact()
    town.world.cluster.break_watches()
    await town.until(lambda: town.world.state() is SandboxState.RUNNING)


async def test_a_failing_api_server_is_asked_less_and_less_and_then_all_is_done(town: Town) -> None:
    fault = town.world.cluster.refuse(Verb.CREATE, PODS, lambda: Unavailable("down", 0.0), left=None)
    town.world.make()
    await town.clock.advance(60)
    assert 5 < fault.hits < 20
    fault.left = 0
    await town.until(lambda: town.world.state() is SandboxState.RUNNING)
    assert town.controller.queue.failing == 0


async def test_a_new_controller_goes_on_wherever_the_last_one_stopped() -> None:
    town = Town()
    for _ in range(40):
        async with at_work(town):
            if town.world.names(BATCH_SANDBOXES) == []:
                town.world.make()
                town.world.ask(pause=True)
            await asyncio.sleep(0)
            for _ in range(12):
                await asyncio.sleep(0)
            town.world.cluster.settle_with(*CONTROL_PLANE, node.terminate, *WILLING, town.world.commit)
        town.controller = town.new_controller()
    async with at_work(town):
        await town.until(lambda: town.world.state() is SandboxState.PAUSED)
        assert town.world.census() == {
            "batchsandboxes": [ID],
            "sandboxsnapshots": town.world.names(SNAPSHOTS),
        }


async def test_events_tell_each_transition_and_count_repetitions(town: Town) -> None:
    town.world.make()
    await town.quiet()
    town.world.ask(pause=True)
    await town.quiet()
    town.world.ask(pause=False)
    await town.quiet()
    found = [
        event for event in town.world.cluster.all(EVENTS) if event["involvedObject"]["kind"] == "BatchSandbox"
    ]
    assert sorted(event["message"] for event in found) == sorted(
        [
            "Pending to Running",
            "Running to Pausing",
            "Pausing to Paused",
            "Paused to Resuming",
            "Resuming to Running",
        ]
    )
    assert {event["metadata"]["labels"]["opensandbox.io/id"] for event in found} == {ID}
    assert {event["type"] for event in found} == {"Normal"}


async def test_a_failure_is_a_warning_told_once_however_often_it_is_tried(town: Town) -> None:
    town.world.cluster.refuse(Verb.CREATE, PODS, lambda: Unavailable("down", 0.0), left=2)
    town.world.cluster.refuse(Verb.CREATE, PODS, lambda: Exhausted("quota", "exceeded quota"), left=5)
    town.world.make()
    await town.until(lambda: town.world.state() is SandboxState.RUNNING)
    warnings = [event for event in town.world.cluster.all(EVENTS) if event["type"] == "Warning"]
    assert sorted(event["reason"] for event in warnings) == ["CallRefused", "QuotaExceeded"]
    [repeated] = [event for event in warnings if event["reason"] == "CallRefused"]
    assert repeated["count"] == 5


async def test_refused_events_hold_nothing_up(town: Town) -> None:
    town.world.cluster.refuse(Verb.CREATE, EVENTS, lambda: Unavailable("down"), left=None)
    town.world.make()
    await town.quiet()
    assert town.world.state() is SandboxState.RUNNING
    assert town.controller.events.dropped == 1


async def test_metrics_count_passes(town: Town) -> None:
    town.world.make()
    await town.quiet()
    text = town.metrics.text().decode()
    assert 'sandkit_controller_reconciles_total{kind="BatchSandbox",result="rested"}' in text
    assert "sandkit_controller_reconcile_seconds_bucket" in text


async def test_a_defect_in_one_object_stops_no_other(
    town: Town, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = reconciler.KINDS["BatchSandbox"]

    def decide(view: Any, *rest: Any) -> Any:
        if view.sandbox["metadata"]["name"] == "bad":
            raise KeyError("defect")
        return kind.decide(view, *rest)

    broken = {**reconciler.KINDS, "BatchSandbox": replace(kind, decide=decide)}
    monkeypatch.setattr("sandkit_server.controller.controller.KINDS", broken)
    town.world.make("bad")
    town.world.make()
    await town.quiet()
    assert town.world.state() is SandboxState.RUNNING
    assert town.world.state("bad") is SandboxState.PENDING
    assert "BatchSandbox bad: the controller failed" in caplog.text
    assert 'sandkit_controller_reconcile_crashes_total{kind="BatchSandbox"} ' in town.metrics.text().decode()
