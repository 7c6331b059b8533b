"""Random lives of sandboxes, with faults and kills: what exists in the end is what the model says."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sandkit_server._generated.states import SANDBOX_TRANSITIONS, SNAPSHOT_TRANSITIONS
from sandkit_server.core.errors import ErrorCode, SandkitError
from sandkit_server.core.model import SandboxState
from sandkit_server.core.ownership import manager_of
from sandkit_server.runtimes.memory import MemorySettings
from sandkit_server.runtimes.memory.volume_table import as_claim

from .world import World, claim

T = TypeVar("T")

KEYS = ("a", "b", "c")
FAULTS = [
    ("claim.create", "error"), ("claim.create", "crash"), ("claim.get", "error"), ("claim.list", "error"),
    ("claim.delete", "error"), ("claim.patch", "error"), ("claim.patch", "crash"), ("claim.list", "crash"),
    ("workload.create", "error"),
    ("workload.create", "crash"), ("workload.delete", "error"), ("workload.get", "error"),
    ("workload.update", "error"), ("workload.ready", "error"), ("pod.create", "error"),
    ("pod.delete", "error"), ("snapshot.create", "error"), ("snapshot.commit", "crash"),
    ("snapshot.push", "error"), ("snapshot.delete", "error"), ("image.pull", "error"),
    ("image.delete", "error"), ("job.create", "error"), ("job.delete", "error"),
    ("reconcile.*", "error"), ("reconcile.*", "crash"),
]  # fmt: skip
INSTANT = MemorySettings(transition_seconds=0.0, retry_seconds=(0.001, 0.005))
EXPECTED_CODES = {
    ErrorCode.SANDBOX_SANDBOX_NOT_FOUND, ErrorCode.SANDBOX_INVALID_STATE, ErrorCode.REQUEST_UNAVAILABLE,
    ErrorCode.SANDBOX_CREATE_FAILED, ErrorCode.SANDBOX_DELETE_FAILED, ErrorCode.VOLUME_PVC_INSPECT_FAILED,
    ErrorCode.SANDBOX_IDEMPOTENCY_KEY_REUSED, ErrorCode.VOLUME_PVC_MANAGED_BY_ANOTHER,
}  # fmt: skip


@dataclass
class Known:
    """What a client knows of one sandbox it made."""

    id: str
    key: str
    uid: str | None
    expires: bool


class Lives(RuleBasedStateMachine):
    """One client with three keys; each key stands for a sandbox with a claim that goes and one that stays."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.world = World(INSTANT)
        self.run(self.world.runtime.start())
        self.decoys = self.run(self.world.seed_foreign_claims())
        self.known: dict[str, Known] = {}
        self.made: set[str] = set()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def call(self, work: Coroutine[Any, Any, T]) -> T | None:
        """An answer, or ``None`` for a refusal; nothing but foreseen refusals may come."""
        try:
            return self.run(work)
        except SandkitError as error:
            if error.code not in EXPECTED_CODES:
                raise AssertionError(f"unforeseen: {error}") from error
            return None

    @rule(key=st.sampled_from(KEYS), lifetime=st.sampled_from([None, 60]))
    def create(self, key: str, lifetime: int | None) -> None:
        volumes = (claim(f"own-{key}"), claim(f"kept-{key}", opt_in=False))
        sandbox = self.call(self.world.create(*volumes, key=key, timeout_seconds=lifetime))
        self.made.add(f"kept-{key}")
        if sandbox is not None:
            self.known[key] = Known(sandbox.id, key, None, lifetime is not None)

    @rule(key=st.sampled_from(KEYS))
    def pause(self, key: str) -> None:
        if key in self.known:
            self.call(self.world.service.pause(self.known[key].id))

    @rule(key=st.sampled_from(KEYS))
    def resume(self, key: str) -> None:
        if key in self.known:
            self.call(self.world.service.resume(self.known[key].id))

    @rule(key=st.sampled_from(KEYS), value=st.sampled_from(["x", "y", None]))
    def patch(self, key: str, value: str | None) -> None:
        if key in self.known:
            self.call(self.world.service.patch_metadata(self.known[key].id, {"tag": value}))

    @rule(key=st.sampled_from(KEYS))
    def delete(self, key: str) -> None:
        if key in self.known:
            self.call(self.world.service.delete_sandbox(self.known[key].id))

    @rule(seconds=st.sampled_from([0.0, 1.0, 45.0, 90.0]))
    def advance(self, seconds: float) -> None:
        self.run(self.world.engine.clock.advance(seconds))

    @rule(key=st.sampled_from(KEYS), when=st.sampled_from(["before", "after"]))
    def fail_to_delete(self, key: str, when: str) -> None:
        """A delete the engine does not answer: the workload may live, so its claims must not go first."""
        if key in self.known:
            self.run(self.world.fault("workload.delete", when=when, times=1))
            self.call(self.world.service.delete_sandbox(self.known[key].id))

    @rule(fault=st.sampled_from(FAULTS), when=st.sampled_from(["before", "after"]), times=st.integers(1, 2))
    def fault(self, fault: tuple[str, str], when: str, times: int) -> None:
        self.run(self.world.fault(fault[0], fault[1], when=when, times=times))

    @rule(graceful=st.booleans())
    def restart(self, graceful: bool) -> None:
        self.run(self.world.restart(graceful))

    @rule(
        turns=st.integers(0, 12),
        key=st.sampled_from(KEYS),
        what=st.sampled_from(["create", "pause", "delete"]),
    )
    def killed_on_the_way(self, turns: int, key: str, what: str) -> None:
        """The server dies a few turns after it began something."""

        async def begin() -> None:
            world = self.world
            if what == "create":
                volumes = (claim(f"own-{key}"), claim(f"kept-{key}", opt_in=False))
                self.made.add(f"kept-{key}")
                acting = asyncio.ensure_future(world.create(*volumes, key=key))
            elif key not in self.known:
                return
            elif what == "pause":
                acting = asyncio.ensure_future(world.service.pause(self.known[key].id))
            else:
                acting = asyncio.ensure_future(world.service.delete_sandbox(self.known[key].id))  # type: ignore[arg-type]
            for _ in range(turns):
                await asyncio.sleep(0)
            await world.restart()
            await asyncio.wait({acting}, timeout=1)
            assert acting.done()
            if not acting.cancelled():
                acting.exception()

        self.run(begin())

    @invariant()
    def nothing_foreign_is_touched(self) -> None:
        assert {name: self.world.volume(name) for name in self.decoys} == self.decoys
        for name in self.made:
            volume = self.world.volume(name)
            assert volume is None or (volume["labels"], volume["owners"]) == ({}, [])

    @invariant()
    def the_journal_tells_what_is(self) -> None:
        assert self.world.told() == self.world.census()

    @invariant()
    def no_living_sandbox_loses_its_claim(self) -> None:
        engine = self.world.engine
        for record in engine.workloads:
            if record.state in (SandboxState.RUNNING, SandboxState.PAUSED):
                for volume in record.spec.request.volumes:
                    assert volume.claim is not None
                    there = engine.volumes.find(volume.claim.claim_name)
                    assert there is not None, (record.id, record.state, volume.claim.claim_name)
                    assert not there.terminating

    def teardown(self) -> None:
        try:
            self.run(self._end())
        finally:
            self.run(self.world.runtime.close())
            self.loop.close()

    async def _end(self) -> None:
        world = self.world
        await world.control.remove_fault(None)
        await world.engine.clock.advance(0)
        for record in list(world.engine.workloads):
            await world.service.delete_sandbox(record.id)
        # Two looks of the reconciler, far enough for claims that nothing else reclaims.
        await world.engine.clock.advance(120)
        kept = sorted({name for name in self.made if world.volume(name) is not None} | set(self.decoys))
        await world.require_empty(volumes=kept)
        assert all(manager_of(as_claim(volume)) is None for volume in world.engine.volumes)
        self._require_legal_steps()

    def _require_legal_steps(self) -> None:
        legal = {
            "workload": {(step.source, step.target) for step in SANDBOX_TRANSITIONS},
            "snapshot": {(step.source, step.target) for step in SNAPSHOT_TRANSITIONS},
        }
        last: dict[tuple[str, str], str] = {}
        for entry in self.world.engine.journal.after(0):
            if entry.kind in legal:
                identity = (entry.kind, entry.object["uid"])
                before, after = last.get(identity, entry.object["phase"]), entry.object["phase"]
                assert before == after or (before, after) in legal[entry.kind], (entry.kind, before, after)
                last[identity] = after


Lives.TestCase.settings = settings(
    max_examples=100,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    # A failure waits for what never comes about; shrinking would wait for it hundreds of times.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestLives = Lives.TestCase
