"""One keyed create and others at work on the same id elsewhere, in every order of their calls to the cluster.

The servers' own flows are driven as the explorer drives them, but each is a process of its own: nobody waits
for a turn, and whoever reads sees what the cluster has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from sandkit_server.core import ownership
from sandkit_server.core.port_errors import Invalid, PortError, Unavailable
from sandkit_server.kubernetes import calls
from sandkit_server.kubernetes.calls import Call, Verb
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES, CLAIMS
from sandkit_server.testing.cluster.fake import BEGINNING
from sandkit_server.testing.cluster.state import State, apply
from sandkit_server.testing.explorer.operations import Operations
from sandkit_server.testing.explorer.programs import Ask, Done, Library, Node, Program, Read, Turn
from sandkit_server.testing.explorer.values import Values, canonical
from sandkit_server.testing.explorer.verdicts import SUCCESS

ID = "sbx-1"
# When whoever looks for orphans looks: long after what a dead server left was made.
NOW = BEGINNING + timedelta(hours=1)


def create(operations: Operations) -> Program:
    return operations.create(ID, {"data": True, "kept": False}, keyed=True)


def delete(operations: Operations) -> Program:
    return operations.delete(ID)


def look(operations: Operations) -> Program:
    return operations.look()


@dataclass(frozen=True)
class Standing:
    """What is stored, how far each has come, and how often something may still go wrong.

    Attributes:
        trace: The calls so far, and what became of each.
    """

    state: State
    nodes: tuple[Node, ...]
    luck: int
    trace: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[Any, ...]:
        stored = [[key.resource.full_name, key.name, obj] for key, obj in self.state.objects.items()]
        return canonical(sorted(stored, key=canonical)), *(node.number for node in self.nodes), self.luck

    @property
    def outcomes(self) -> list[str]:
        return [node.request.outcome for node in self.nodes if isinstance(node.request, Done)]


class Elsewhere:
    """Processes that know nothing of each other, on one cluster."""

    def __init__(self, *begin: Callable[[Operations], Program]) -> None:
        self._library = Library(Values())
        self._nothing = self._library.values.number(None)
        operations = Operations(self._library, lambda _: 0)
        self._programs = [each(operations) for each in begin]

    def ends(self, state: State) -> Iterator[Standing]:
        """How it ends, in every order, with at most one create of an object refused or unanswered."""
        begun = tuple(self._go_on(state, program, program.root, self._nothing) for program in self._programs)
        open_, seen = [Standing(state, begun, 1)], set()
        while open_:
            here = open_.pop()
            if here.key in seen:
                continue
            seen.add(here.key)
            if len(here.outcomes) == len(self._programs):
                yield here
            open_ += self._steps(here)

    def _steps(self, here: Standing) -> Iterator[Standing]:
        for number, node in enumerate(here.nodes):
            if isinstance(node.request, Ask):
                call = node.request.call
                for state, answer, what in _becomes(here.state, call, here.luck):
                    given = self._library.values.number(answer)
                    after = self._go_on(state, self._programs[number], node, given)
                    nodes = (*here.nodes[:number], after, *here.nodes[number + 1 :])
                    told = f"{number}: {call.verb} {call.resource.plural} {call.name}{what and ', ' + what}"
                    yield Standing(state, nodes, here.luck - bool(what), (*here.trace, told))

    def _go_on(self, state: State, program: Program, node: Node, given: int) -> Node:
        """To the next call; nobody waits for a turn."""

        def look_up(_: Program, read: Read) -> int:
            values: dict[Any, Any] = {
                "get": None,
                "items": list(state.all(BATCH_SANDBOXES)),
                "now": NOW,
                "under way": (),
            }
            return self._library.values.number(values[read.what[0]])

        node = program.after(node, given, look_up)
        while isinstance(node.request, Read | Turn):
            given = look_up(program, node.request) if isinstance(node.request, Read) else self._nothing
            node = program.after(node, given, look_up)
        return node


def _becomes(state: State, call: Call, luck: int) -> Iterator[tuple[State, Any, str]]:
    """What may become of a call: state, answer, and what went wrong.

    Nothing goes wrong with an owner edge, by which servers know of each other: it is best effort (VOL-11).
    """
    applied = apply(state, call)
    yield applied.state, applied.answer, ""
    if luck and call.verb is Verb.CREATE:
        yield state, Invalid("no"), "refused"
        yield state, Unavailable("away"), "lost before"
        if not isinstance(applied.answer, PortError):
            yield applied.state, Unavailable("away"), "lost after"


def _orphan() -> State:
    """A claim that a server made before it died, and no workload."""
    body = {"metadata": {"name": "data", "labels": ownership.management_labels(ID)}, "spec": {}}
    return apply(State(now=BEGINNING), calls.create(CLAIMS, body)).state


def _require_kept(end: Standing) -> None:
    """Everything of a living sandbox is there and it was told of; nothing is left of one that is none."""
    workload = end.state.find(BATCH_SANDBOXES, ID)
    claims = {claim["metadata"]["name"]: claim["metadata"] for claim in end.state.all(CLAIMS)}
    managed = "data" in claims and "deletionTimestamp" not in claims["data"]
    assert not [outcome for outcome in end.outcomes if outcome.startswith("crashed")]
    if workload is None:
        # The first is a create.
        assert end.outcomes[0] != SUCCESS, "a create was answered, and there is no sandbox"
        assert not managed, "a claim of no sandbox is left"
    elif "deletionTimestamp" not in workload["metadata"]:
        assert SUCCESS in end.outcomes, "a sandbox lives that nobody was told of"
        assert managed, "a claim of a living sandbox is gone"
        assert "kept" in claims, "a claim of a living sandbox is gone"


@pytest.mark.parametrize(
    ("begin", "state"),
    [
        pytest.param((create, create), State(now=BEGINNING), id="the same create"),
        pytest.param((create, delete), State(now=BEGINNING), id="a delete"),
        pytest.param((create, look), _orphan(), id="a look for what a dead server left"),
    ],
)
def test_whatever_the_order_a_sandbox_and_its_claims_are_both_there_or_both_gone(
    begin: tuple[Callable[[Operations], Program], ...], state: State
) -> None:
    ends = 0
    for end in Elsewhere(*begin).ends(state):
        ends += 1
        try:
            _require_kept(end)
        except AssertionError as wrong:
            raise AssertionError("\n".join([*end.trace, *end.outcomes, str(wrong)])) from None
    assert ends > 50
