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
    initialize,
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
from .model import Life
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

    @initialize(after=PAUSES)
    def begin(self, after: float) -> None:
        self.create("a")
        self.create("c")
        self.town.pass_time(after)

    @rule(name=NAMES, again=st.booleans(), after=PAUSES)
    def create_or_delete(self, name: str, again: bool, after: float) -> None:
        found = self.find(name)
        if found is None or again:
            self.create(name)
        else:
            self.town.delete(found[1], found[0])
        self.town.pass_time(after)

    @rule(name=NAMES, what=st.sampled_from(["pause", "resume"]), after=PAUSES)
    def pause_or_resume(self, name: str, what: str, after: float) -> None:
        if (found := self.find(name)) is None:
            self.create(name)
        elif what == "pause":
            self.town.pause(found[1])
        else:
            self.town.resume(found[1])
        self.town.pass_time(after)

    @rule(name=NAMES, what=st.sampled_from([30, 3600, "snapshot", "delete snapshot"]), after=PAUSES)
    def renew_or_snapshot(self, name: str, what: int | str, after: float) -> None:
        if (found := self.find(name)) is None:
            self.create(name)
        elif isinstance(what, int):
            self.town.renew(found[1], found[0], what)
        elif what == "snapshot":
            self.town.snapshot(found[1])
        elif self.town.model.snapshots:
            self.town.delete_snapshot(max(self.town.model.snapshots))
        self.town.pass_time(after)

    # --- others ---

    @rule(name=NAMES, how=st.sampled_from([Propagation.FOREGROUND, Propagation.BACKGROUND]), after=PAUSES)
    def somebody_deletes_the_workload(self, name: str, how: Propagation, after: float) -> None:
        if (found := self.find(name)) is not None and self.act(
            delete(BATCH_SANDBOXES, found[1].id, propagation=how)
        ):
            self.town.model.deleted_by_others(found[0])
        self.town.pass_time(after)

    @rule(name=NAMES, how=st.sampled_from(["evicted", "deleted"]), after=PAUSES)
    def the_pod_is_lost(self, name: str, how: str, after: float) -> None:
        if (found := self.find(name)) is not None:
            pod = self.town.cluster.find(PODS, found[1].id)
            if pod is not None:
                self.act(node.evict(pod) if how == "evicted" else delete(PODS, found[1].id))
        self.town.pass_time(after)

    @rule(
        commits=st.sampled_from(["well", "well", "in vain", "never"]),
        nodes=st.sampled_from([True, True, False]),
    )
    def from_now_on(self, commits: str, nodes: bool) -> None:
        self.town.surroundings.commits, self.town.surroundings.willing = commits, nodes

    # --- misfortune ---

    @rule(
        process=PROCESSES,
        fault=st.sampled_from(list(Fault)),
        skip=st.integers(0, 8),
        times=st.integers(1, 3),
    )
    def arm(self, process: str, fault: Fault, skip: int, times: int) -> None:
        self.town.processes[process].armed.append(Armed(fault, skip, times))

    @rule(
        process=PROCESSES,
        what=st.sampled_from(["dies", "lags", "is cut off", "has to list anew"]),
        after=PAUSES,
    )
    def disturb(self, process: str, what: str, after: float) -> None:
        town = self.town
        if what == "dies":
            town.processes[process].kill()
        elif what == "lags":
            town.processes[process].line.blind(after)
        else:
            if what == "has to list anew":
                town.cluster.compact()
            town.cluster.break_watches()
        town.pass_time(after)

    def teardown(self) -> None:
        try:
            self.town.settle()
            found = list(differences(self.town.cluster, self.town.model, self.town.clock))
            assert not found, found
        finally:
            self.town.close()

    def create(self, name: str) -> None:
        """Ask for a sandbox: always the same one under a key, a new one without."""
        own = name
        if KEYS[name] is None:
            self.unkeyed += 1
            own = f"{name}{self.unkeyed}"
        claims = (volume(f"{OWN}{own}"), volume(f"{KEPT}{name}", delete=False))
        shared = volume(f"{SHARED}x", delete=name != "b")
        # Of those that want it to go with them only one can have it; "c" leaves it alone.
        volumes = claims if name == "c" else (*claims, shared)
        self.town.create(own, KEYS[name], LIFETIMES[name], *volumes)

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
