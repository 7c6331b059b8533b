"""Coroutines driven by hand: each step is computed once, and depends on nothing but the inputs."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from sandkit_server.core.port_errors import NotFound, PortError
from sandkit_server.kubernetes.calls import get
from sandkit_server.kubernetes.resources import PODS
from sandkit_server.testing.explorer.programs import Ask, Done, Library, Node, Program, Read, Tape
from sandkit_server.testing.explorer.values import Values


class Bench:
    """One program, and how often its coroutine was run."""

    def __init__(self, work: Callable[[Tape], Coroutine[Any, Any, str]]) -> None:
        self.library = Library(Values())
        self.runs = 0

        def start(tape: Tape) -> Coroutine[Any, Any, str]:
            self.runs += 1
            return work(tape)

        self.program = Program("work", start, self.library)

    def give(self, node: Node, value: Any, cached: Any = None) -> Node:
        """The node behind an input; what it reads then is ``cached``."""
        number = self.library.values.number

        def look_up(_program: Program, _read: Read) -> int:
            return number(cached)

        return self.program.after(node, number(value), look_up)

    def begin(self, cached: Any = None) -> Node:
        return self.give(self.program.root, None, cached)


async def two_calls(tape: Tape) -> str:
    first = await tape.ask(get(PODS, "one"))
    tape.tell("observe", first["name"])
    try:
        await tape.ask(get(PODS, first["next"]))
    except NotFound:
        return "no second"
    return "both"


def test_a_program_waits_at_each_call() -> None:
    bench = Bench(two_calls)
    node = bench.begin()
    assert isinstance(node.request, Ask)
    assert node.request.call.name == "one"
    node = bench.give(node, {"name": "one", "next": "two"})
    assert isinstance(node.request, Ask)
    assert node.request.call.name == "two"
    assert node.effects == (("observe", "one"),)
    node = bench.give(node, {"name": "two"})
    assert node.request == Done("both")
    assert node.effects == ()


def test_a_refusal_is_raised_where_the_call_was_made() -> None:
    bench = Bench(two_calls)
    node = bench.give(bench.begin(), {"name": "one", "next": "two"})
    assert bench.give(node, NotFound("two")).request == Done("no second")


def test_what_was_computed_once_is_only_looked_up() -> None:
    bench = Bench(two_calls)
    answer = {"name": "one", "next": "two"}
    first = bench.give(bench.begin(), answer)
    runs = bench.runs
    assert bench.give(bench.begin(), dict(answer)) is first
    assert bench.runs == runs
    other = bench.give(bench.begin(), {"name": "one", "next": "three"})
    assert other is not first
    assert bench.runs == runs + 1


async def reads_then_asks(tape: Tape) -> str:
    wanted = tape.read("get", PODS, "cached") or "absent"
    found: str = await tape.ask(get(PODS, wanted))
    return found


def test_reads_are_answered_at_once_and_are_nodes_of_their_own() -> None:
    bench = Bench(reads_then_asks)
    read = bench.begin(cached="here")
    assert read.request == Read(("get", PODS, "cached"))
    (asks,) = read.children.values()
    assert isinstance(asks.request, Ask)
    assert asks.request.call.name == "here"
    other = bench.give(read, None)
    assert isinstance(other.request, Ask)
    assert other.request.call.name == "absent"


async def cleans_up(tape: Tape) -> str:
    try:
        await tape.ask(get(PODS, "one"))
    finally:
        await tape.ask(get(PODS, "clean-up"))
    return "done"


def test_a_clean_up_does_not_run_because_the_tape_ends() -> None:
    bench = Bench(cleans_up)
    node = bench.begin()
    assert isinstance(node.request, Ask)
    assert node.request.call.name == "one"


def test_an_error_is_given_anew_each_time() -> None:
    raised: list[PortError] = []

    async def work(tape: Tape) -> str:
        try:
            await tape.ask(get(PODS, "one"))
        except NotFound as error:
            raised.append(error)
        await tape.ask(get(PODS, "two"))
        return "done"

    bench = Bench(work)
    refused = bench.give(bench.begin(), NotFound("one"))
    bench.give(refused, {})
    assert len(raised) == 2
    assert raised[0] is not raised[1]


def test_a_program_that_awaits_anything_else_is_refused() -> None:
    import asyncio

    async def sleeps(_tape: Tape) -> str:
        await asyncio.sleep(0)
        return "never"

    with pytest.raises(RuntimeError, match="not the API server"):
        Bench(sleeps).begin()
