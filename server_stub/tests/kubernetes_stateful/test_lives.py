"""Random lives of sandboxes on Kubernetes, with faults and crashes: what is there in the end is the model's.

A few sequences each time; ``SANDKIT_STATEFUL_EXAMPLES=1000`` runs as many as it says. Always the same ones
for the same number; ``SANDKIT_STATEFUL_SEED`` chooses others.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    precondition,
    rule,
    run_state_machine_as_test,
)

from sandkit_server.core.port_errors import PortError
from sandkit_server.kubernetes.calls import Call, Propagation, delete
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES, PODS
from sandkit_server.testing.cluster import node

from .census import OWN, SHARED, differences
from .judged_cluster import KEPT
from .line import Armed, Fault
from .model import Fate, Life
from .town import Town, volume

EXAMPLES = int(os.environ.get("SANDKIT_STATEFUL_EXAMPLES", "12"))
SEED = int(os.environ.get("SANDKIT_STATEFUL_SEED", "0"))

# Each client's name stands for a sandbox: the first two are keyed, so that a create can be repeated.
KEYS = {"a": "key-a", "b": "key-b", "c": None}
LIFETIMES = {"a": None, "b": 60, "c": None}
NAMES = st.sampled_from(sorted(KEYS))
PROCESSES = st.sampled_from(["server", "controller"])
# Within a call, between two calls, until a step of the product is over, until a deadline.
PAUSES = st.sampled_from([0.0, 0.001, 0.005, 0.02, 0.1, 1.0, 5.0, 31.0])


class Lives(RuleBasedStateMachine):
    """One client with three sandboxes at a time, everybody else, and misfortune."""

    def __init__(self) -> None:
        super().__init__()
        self.town = Town()
        self.unkeyed = 0

    # --- the client ---

    @rule(name=NAMES, claims=st.booleans(), after=PAUSES)
    def create(self, name: str, claims: bool, after: float) -> None:
        own = name
        if KEYS[name] is None:
            self.unkeyed += 1
            own = f"{name}{self.unkeyed}"
        volumes = [volume(f"{OWN}{own}"), volume(f"{KEPT}{name}", delete=False)]
        # Another request under the same key is refused, so with a key it is always the same.
        if claims or KEYS[name] is not None:
            volumes.append(volume(f"{SHARED}x", delete=name != "b"))
        self.town.create(own, KEYS[name], LIFETIMES[name], *volumes)
        self.town.pass_time(after)

    @rule(name=NAMES, after=PAUSES)
    def pause(self, name: str, after: float) -> None:
        if (found := self.find(name)) is not None:
            self.town.pause(found[1])
        self.town.pass_time(after)

    @rule(name=NAMES, after=PAUSES)
    def resume(self, name: str, after: float) -> None:
        if (found := self.find(name)) is not None:
            self.town.resume(found[1])
        self.town.pass_time(after)

    @rule(name=NAMES, seconds=st.sampled_from([30, 3600]), after=PAUSES)
    def renew(self, name: str, seconds: float, after: float) -> None:
        if (found := self.find(name)) is not None:
            self.town.renew(found[1], found[0], seconds)
        self.town.pass_time(after)

    @rule(name=NAMES, after=PAUSES)
    def delete(self, name: str, after: float) -> None:
        if (found := self.find(name)) is not None:
            self.town.delete(found[1], found[0])
        self.town.pass_time(after)

    @rule(name=NAMES, after=PAUSES)
    def snapshot(self, name: str, after: float) -> None:
        if (found := self.find(name)) is not None:
            self.town.snapshot(found[1])
        self.town.pass_time(after)

    @precondition(lambda self: self.town.model.snapshots)
    @rule(after=PAUSES)
    def delete_snapshot(self, after: float) -> None:
        self.town.delete_snapshot(max(self.town.model.snapshots))
        self.town.pass_time(after)

    # --- others ---

    @rule(name=NAMES, how=st.sampled_from([Propagation.FOREGROUND, Propagation.BACKGROUND]), after=PAUSES)
    def somebody_deletes_the_workload(self, name: str, how: Propagation, after: float) -> None:
        if (found := self.find(name)) is not None and self.act(
            delete(BATCH_SANDBOXES, found[1].id, propagation=how)
        ):
            found[1].fate = Fate.UNSURE if self.town.model.busy(found[0]) else Fate.GONE
        self.town.pass_time(after)

    @rule(name=NAMES, how=st.sampled_from(["evicted", "deleted"]), after=PAUSES)
    def the_pod_is_lost(self, name: str, how: str, after: float) -> None:
        if (found := self.find(name)) is not None:
            pod = self.town.cluster.find(PODS, found[1].id)
            if pod is not None:
                self.act(node.evict(pod) if how == "evicted" else delete(PODS, found[1].id))
        self.town.pass_time(after)

    @rule(how=st.sampled_from(["well", "in vain", "never"]))
    def from_now_on_commits_go(self, how: str) -> None:
        self.town.surroundings.commits = how

    @rule(willing=st.booleans())
    def from_now_on_nodes_start_pods(self, willing: bool) -> None:
        self.town.surroundings.willing = willing

    @rule(seconds=PAUSES)
    def time_passes(self, seconds: float) -> None:
        self.town.pass_time(seconds)

    # --- misfortune ---

    @rule(
        process=PROCESSES,
        fault=st.sampled_from(list(Fault)),
        skip=st.integers(0, 8),
        times=st.integers(1, 3),
    )
    def arm(self, process: str, fault: Fault, skip: int, times: int) -> None:
        self.town.processes[process].armed.append(Armed(fault, skip, times))

    @rule(process=PROCESSES, after=PAUSES)
    def kill(self, process: str, after: float) -> None:
        self.town.processes[process].kill()
        self.town.pass_time(after)

    @rule(process=PROCESSES, seconds=st.sampled_from([0.01, 1.0, 20.0]))
    def watches_lag(self, process: str, seconds: float) -> None:
        self.town.processes[process].line.blind(seconds)

    @rule(forget=st.booleans())
    def watches_are_cut(self, forget: bool) -> None:
        if forget:
            self.town.cluster.compact()
        self.town.cluster.break_watches()

    def teardown(self) -> None:
        try:
            self.town.settle()
            found = list(differences(self.town.cluster, self.town.model, self.town.clock))
            assert not found, found
        finally:
            self.town.close()

    def find(self, name: str) -> tuple[str, Life] | None:
        """The latest sandbox the client was answered with, by its name in the model."""
        if KEYS[name] is not None:
            own = name
        else:
            numbers = [
                number for number in range(1, self.unkeyed + 1) if f"{name}{number}" in self.town.model.lives
            ]
            own = f"{name}{max(numbers, default=0)}"
        life = self.town.model.lives.get(own)
        return None if life is None else (own, life)

    def act(self, call: Call) -> bool:
        try:
            self.town.cluster.act_unjudged(call)
        except PortError:
            return False
        return True


def test_the_census_is_the_models_after_any_sequence() -> None:
    machine = settings(
        max_examples=EXAMPLES,
        stateful_step_count=30,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(seed(SEED)(Lives), settings=machine)
