"""Every change leads to each object whose view holds what changed."""

from __future__ import annotations

from typing import Any

from sandkit_server.controller.triggers import Key, Triggers
from sandkit_server.kubernetes.calls import merge
from sandkit_server.kubernetes.resources import SNAPSHOTS

from .world import ID, World

SANDBOX = Key("BatchSandbox", ID)


class Board:
    """Triggers over a world, and the keys they give for one change at a time."""

    def __init__(self) -> None:
        self.world = World()
        self.keys: list[Key] = []
        self.triggers = Triggers(self.world.readers, self.keys.append)

    def given(self, listener: Any, before: Any, after: Any) -> set[Key]:
        self.keys.clear()
        listener(before, after)
        return set(self.keys)


def labelled(name: str, **labels: str) -> dict[str, Any]:
    named = {
        "id": "opensandbox.io/id",
        "pool": "sandbox.opensandbox.io/pool",
        "snapshot": "sandbox.opensandbox.io/snapshot",
    }
    return {"metadata": {"name": name, "labels": {named[key]: value for key, value in labels.items()}}}


def snapshot(name: str, phase: str | None = None) -> dict[str, Any]:
    status = {"status": {"phase": phase}} if phase else {}
    return {"metadata": {"name": name}, "spec": {"sandboxName": ID}, **status}


def test_a_sandbox_leads_to_itself_its_pools_and_its_unfinished_snapshots() -> None:
    board = Board()
    board.given(board.triggers.snapshot_changed, None, snapshot("open"))
    board.given(board.triggers.snapshot_changed, None, snapshot("done", "Succeed"))
    pooled = board.world.make(poolRef="pool")
    assert board.given(board.triggers.sandbox_changed, None, pooled) == {
        SANDBOX,
        Key("Pool", "pool"),
        Key("SandboxSnapshot", "open"),
    }
    detached = {**pooled, "spec": {"replicas": 1}}
    assert Key("Pool", "pool") in board.given(board.triggers.sandbox_changed, pooled, detached)


def test_a_snapshot_leads_to_its_sandbox_and_to_those_that_wait_for_it() -> None:
    board = Board()
    board.given(board.triggers.snapshot_changed, None, snapshot("waiting"))
    first = snapshot("first", "Committing")
    board.given(board.triggers.snapshot_changed, None, first)
    keys = board.given(board.triggers.snapshot_changed, first, snapshot("first", "Succeed"))
    assert keys == {SANDBOX, Key("SandboxSnapshot", "first"), Key("SandboxSnapshot", "waiting")}
    keys = board.given(board.triggers.snapshot_changed, snapshot("waiting"), None)
    assert keys == {SANDBOX, Key("SandboxSnapshot", "waiting")}
    assert board.given(board.triggers.snapshot_changed, first, None) >= {SANDBOX}


def test_a_pod_leads_to_whom_it_belongs_and_belonged() -> None:
    board = Board()
    board.triggers.sandbox_changed(None, board.world.make(poolRef="pool"))
    board.triggers.snapshot_changed(None, snapshot("open"))
    warm, taken = labelled("p", pool="pool"), labelled("p", id=ID)
    assert board.given(board.triggers.pod_changed, None, warm) == {Key("Pool", "pool"), SANDBOX}
    assert board.given(board.triggers.pod_changed, warm, taken) == {
        Key("Pool", "pool"),
        SANDBOX,
        Key("SandboxSnapshot", "open"),
    }
    assert board.given(board.triggers.pod_changed, None, labelled("j", snapshot="s")) == {
        Key("SandboxSnapshot", "s")
    }
    assert board.given(board.triggers.pod_changed, None, {"metadata": {"name": "x"}}) == set()


def test_a_job_leads_to_its_snapshot() -> None:
    board = Board()
    job = labelled("s-commit", snapshot="s", id=ID)
    assert board.given(board.triggers.job_changed, job, None) == {Key("SandboxSnapshot", "s")}


def test_a_pool_leads_to_itself_and_to_who_waits_for_it() -> None:
    board = Board()
    waiting = board.world.make(poolRef="pool")
    board.triggers.sandbox_changed(None, waiting)
    pool = board.world.make_pool()
    assert board.given(board.triggers.pool_changed, None, pool) == {Key("Pool", "pool"), SANDBOX}
    board.triggers.sandbox_changed(waiting, {**waiting, "status": {"phase": "Succeed"}})
    assert board.given(board.triggers.pool_changed, pool, pool) == {Key("Pool", "pool")}


async def test_everything_is_everything() -> None:
    board = Board()
    await board.world.run()
    board.world.make_pool()
    board.world.ask(pause=True)
    await board.world.play()
    [name] = board.world.names(SNAPSHOTS)
    board.world.cluster.act(merge(SNAPSHOTS, name, {"metadata": {"labels": {"opensandbox.io/id": None}}}))
    board.keys.clear()
    board.triggers.everything()
    assert set(board.keys) == {SANDBOX, Key("Pool", "pool"), Key("SandboxSnapshot", name)}
