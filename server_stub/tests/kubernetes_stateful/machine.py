"""What can happen in a life, as rules that Hypothesis strings together."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from sandkit_server.core.port_errors import PortError
from sandkit_server.kubernetes.calls import Call, Propagation, delete
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES, PODS
from sandkit_server.testing.cluster import node

from .census import OWN, SHARED, differences
from .judged_cluster import KEPT
from .line import Armed, Fault
from .model import Life
from .town import Town, volume

# Each client's name stands for a sandbox: the first two are keyed, so that a create can be repeated.
KEYS = {"a": "key-a", "b": "key-b", "c": None}
LIFETIMES = {"a": None, "b": 60, "c": None}
NAMES = st.sampled_from(sorted(KEYS))
PROCESSES = st.sampled_from(["server", "controller"])
# Within a call, between two calls, until a step of the product is over, until a deadline.
PAUSES = st.sampled_from([0.0, 0.001, 0.005, 0.02, 0.1, 1.0, 1.0, 5.0, 31.0])


class Lives(RuleBasedStateMachine):
    """One client with three sandboxes at a time, everybody else, and misfortune.

    Most rules are the client's, and most of what it asks is about a sandbox that is there: a rule that
    mostly asks in vain wastes the step. What is too often in a life hides what comes after it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.town = Town()
        self.unkeyed = 0

    # --- the client ---

    @initialize(after=PAUSES)
    def begin(self, after: float) -> None:
        for name in KEYS:
            self.ask_for(name)
        self.town.pass_time(after)

    @rule(name=NAMES, shared=st.sampled_from([None, None, "goes with it", "stays"]), after=PAUSES)
    def create(self, name: str, shared: str | None, after: float) -> None:
        self.ask_for(name, shared)
        self.town.pass_time(after)

    @rule(name=NAMES, after=PAUSES)
    def delete(self, name: str, after: float) -> None:
        if (found := self.find(name)) is not None:
            self.town.delete(found[1], found[0])
        self.town.pass_time(after)

    @rule(name=NAMES, after=PAUSES)
    def pause(self, name: str, after: float) -> None:
        if (life := self.living(name)) is not None:
            self.town.pause(life)
        self.town.pass_time(after)

    @rule(name=NAMES, between=PAUSES, after=PAUSES)
    def pause_and_resume(self, name: str, between: float, after: float) -> None:
        self.pause(name, between)
        self.resume(name, after)

    @rule(name=NAMES, after=PAUSES)
    def resume(self, name: str, after: float) -> None:
        if (life := self.living(name)) is not None:
            self.town.resume(life)
        self.town.pass_time(after)

    @rule(seconds=st.sampled_from([30, 3600]), after=PAUSES)
    def renew(self, seconds: int, after: float) -> None:
        if (life := self.living("b")) is not None:
            self.town.renew(life, "b", seconds)
        self.town.pass_time(after)

    @rule(early=st.sampled_from([0.0, 0.001, 0.002]), after=PAUSES)
    def renew_at_the_last_moment(self, early: float, after: float) -> None:
        if (life := self.living("b")) is not None and life.expires is not None:
            left = (life.expires - self.town.clock.now()).total_seconds()
            # What was renewed for long lives on.
            if left <= 60:
                self.town.pass_time(max(left - early, 0.0))
            self.town.renew(life, "b", 3600)
        self.town.pass_time(after)

    @rule(name=NAMES, after=PAUSES)
    def snapshot(self, name: str, after: float) -> None:
        if (life := self.living(name)) is not None:
            self.town.snapshot(life)
        self.town.pass_time(after)

    @precondition(lambda self: self.town.model.snapshots)
    @rule(after=PAUSES)
    def delete_snapshot(self, after: float) -> None:
        self.town.delete_snapshot(max(self.town.model.snapshots))
        self.town.pass_time(after)

    # --- others ---

    @rule(name=NAMES, what=st.sampled_from(["workload", "workload at once", "pod", "node"]), after=PAUSES)
    def others_take_away(self, name: str, what: str, after: float) -> None:
        if (found := self.find(name)) is not None:
            own, life = found
            pod = self.town.cluster.find(PODS, life.id)
            if what == "pod":
                self.act(delete(PODS, life.id))
            elif what == "node":
                if pod is not None:
                    self.act(node.evict(pod))
            else:
                how = Propagation.FOREGROUND if what == "workload" else Propagation.BACKGROUND
                if self.act(delete(BATCH_SANDBOXES, life.id, propagation=how)):
                    self.town.model.deleted_by_others(own)
        self.town.pass_time(after)

    @rule(
        commits=st.sampled_from(["well", "well", "well", "in vain", "never"]),
        nodes=st.sampled_from([True, True, True, False]),
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

    # --- within ---

    def ask_for(self, name: str, shared: str | None = None) -> None:
        """Ask for a sandbox: always the same one under a key, a new one without.

        Those without contend for a claim that only one of them can have go with it.
        """
        own, volumes = name, [volume(f"{KEPT}{name}", delete=False)]
        if KEYS[name] is None:
            self.unkeyed += 1
            own = f"{name}{self.unkeyed}"
            if shared is not None:
                volumes.append(volume(f"{SHARED}x", delete=shared == "goes with it"))
        self.town.create(own, KEYS[name], LIFETIMES[name], volume(f"{OWN}{own}"), *volumes)

    def find(self, name: str) -> tuple[str, Life] | None:
        """The latest sandbox the client was answered with, by its name in the model."""
        lives = self.town.model.lives
        numbers = range(self.unkeyed, 0, -1)
        names = [name] if KEYS[name] is not None else [f"{name}{number}" for number in numbers]
        return next(((own, lives[own]) for own in names if own in lives), None)

    def living(self, name: str) -> Life | None:
        """Likewise, if it is not known to be gone; else another one is asked for instead."""
        found = self.find(name)
        if found is None or found[1].is_gone(self.town.clock.now()):
            self.ask_for(name)
            return None
        return found[1]

    def act(self, call: Call) -> bool:
        """Do what nobody has promised anything about; whether the cluster agreed."""
        try:
            self.town.cluster.act_unjudged(call)
        except PortError:
            return False
        return True
