"""The abstract cluster, with an eye on every change of what is stored."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sandkit_server.kubernetes.calls import Call, Object, Verb
from sandkit_server.kubernetes.resources import CLAIMS, PODS
from sandkit_server.testing.cluster import FakeCluster
from sandkit_server.testing.explorer.promises import Change

# Begins the names of claims nobody may touch: they were there before, or were not opted in.
KEPT = "kept-"


class JudgedCluster(FakeCluster):
    """Keeps what breaks a promise, such as a claim that is deleted while its sandbox lives.

    Attributes:
        now: Tells the time.
        broken: One line for each broken promise.
        tell: Is called after each change.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        super().__init__(now=now)
        self.now = now
        self.broken: list[str] = []
        self.tell: Callable[[], None] = lambda: None
        self._taken: set[str] = set()

    def act_as(self, actor: str, call: Call) -> Object:
        """Carry out a call, and judge what it did."""
        before = self.state
        try:
            return self.act(call)
        finally:
            if self.state.version != before.version:
                change = Change(before.objects, self.state.objects, self._taken)
                kept = [
                    name for resource, name in before.objects if resource == CLAIMS and name.startswith(KEPT)
                ]
                broken = change.broken(actor, kept, self.state.now)
                if broken is not None:
                    self.broken.append(f"{actor}: {call.verb} {call.resource.plural} {call.name}: {broken}")
                self.tell()

    def act_unjudged(self, call: Call) -> Object:
        """Carry out what somebody does who has promised nothing."""
        answer = self.act(call)
        if (call.verb, call.resource) == (Verb.DELETE, PODS):
            self._taken.add(call.name)
        self.tell()
        return answer
