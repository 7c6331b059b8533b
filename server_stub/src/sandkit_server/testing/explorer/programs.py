"""The product's coroutines, driven by hand: no event loop, every answer chosen by the explorer.

A coroutine of the product that awaits nothing but :meth:`Tape.ask` is deterministic. So where it stands is
told by the inputs it was given, and those form a tree: each node is a request it makes after one sequence of
inputs. A node is computed once, by running the coroutine from its beginning over the inputs recorded; from
then on a step of the program is one look-up.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sandkit_server.core.port_errors import PortError
from sandkit_server.kubernetes.calls import Call
from sandkit_server.testing.explorer.values import Values, canonical, raised_anew


@dataclass(frozen=True, slots=True)
class Ask:
    """Waits for the answer to a call; meanwhile anything can happen."""

    call: Call
    number: int


@dataclass(frozen=True, slots=True)
class Read:
    """Looks something up in this process, at once: in a cache, on the clock."""

    what: tuple[Hashable, ...]


@dataclass(frozen=True, slots=True)
class Turn:
    """Waits until no other program of this process is at work on the same sandbox."""

    name: str


@dataclass(frozen=True, slots=True)
class Done:
    """Has ended; ``outcome`` says how, in a word or a code."""

    outcome: str


Request = Ask | Read | Turn | Done


# What a program waits for before its first step.
START: Final = Read(("start",))


class Starved(BaseException):
    """Ends a run where the next input is needed. No handler of the product catches it."""


class Tape:
    """The inputs of one run, and what the run does with them.

    Reads behind the recorded inputs are answered by ``look_up``, and reported; the first call there ends the
    run.
    """

    def __init__(self, inputs: Sequence[Any], reading: Callable[[Read], Any]) -> None:
        self._inputs = inputs
        self._position = 0
        self._reading = reading
        self.effects: list[tuple[Hashable, ...]] = []
        self.wanted: Call | Turn | None = None

    async def ask(self, call: Call) -> Any:
        """The answer of the API server. Raises the error it refused with."""
        answer = self._given(call)
        if isinstance(answer, PortError):
            raise raised_anew(answer)
        return answer

    async def turn(self, name: str) -> None:
        """Return when it is this program's turn; tell ``("turn over", name)`` when it ends."""
        self._given(Turn(name))

    def read(self, *what: Hashable) -> Any:
        """Something of this process."""
        if self._position < len(self._inputs):
            return self._next()
        if self.wanted is not None:
            raise Starved
        return self._reading(Read(what))

    def tell(self, *effect: Hashable) -> None:
        """Do something to this process: write through a cache."""
        if self.wanted is None and self._position == len(self._inputs):
            self.effects.append(effect)

    def _given(self, wanted: Call | Turn) -> Any:
        if self._position == len(self._inputs):
            if self.wanted is None:
                self.wanted = wanted
            raise Starved
        return self._next()

    def _next(self) -> Any:
        self._position += 1
        return self._inputs[self._position - 1]


@dataclass(slots=True, eq=False)
class Node:
    """A program after one sequence of inputs.

    Attributes:
        effects: What it did to its process since the last input.
        inputs: Numbers of the values it was given.
        turns: The sandboxes whose turn it has.
        children: The nodes behind one more input.
    """

    number: int
    program: Program
    request: Request
    effects: tuple[tuple[Hashable, ...], ...]
    inputs: tuple[int, ...]
    turns: frozenset[str] = frozenset()
    children: dict[int, Node] = field(default_factory=dict)


Start = Callable[[Tape], Coroutine[Any, Any, str]]
# Gives the number of the value that a read of a program sees.
LookUp = Callable[["Program", Read], int]


class Program:
    """One operation. ``start`` makes the coroutine, which gives its outcome as a word.

    What it reads lies in one ``part`` of the board, or anywhere (``None``).
    """

    def __init__(self, name: str, start: Start, library: Library, part: int | None = None) -> None:
        self.name = name
        self.part = part
        self._start = start
        self._library = library
        self.root = library.add(Node(len(library.nodes), self, START, (), ()))

    def after(self, node: Node, given: int, look_up: LookUp) -> Node:
        """The node behind one more input."""
        child = node.children.get(given)
        if child is None:
            self._explore(node, given, look_up)
            child = node.children[given]
        return child

    def _explore(self, node: Node, given: int, look_up: LookUp) -> None:
        """Run from the beginning to the next call, and add a node for each read on the way."""
        library, at = self._library, (node, given)

        def add(request: Request) -> Node:
            before, input_ = at
            turns = before.turns | ({before.request.name} if isinstance(before.request, Turn) else set())
            over = {str(effect[1]) for effect in tape.effects if effect[0] == "turn over"}
            effects, inputs = tuple(tape.effects), (*before.inputs, input_)
            made = library.add(Node(len(library.nodes), self, request, effects, inputs, turns - over))
            before.children[input_] = made
            tape.effects.clear()
            return made

        def reading(read: Read) -> Any:
            nonlocal at
            at = add(read), look_up(self, read)
            return library.values[at[1]]

        # The first input only starts the program.
        tape = Tape([library.values[each] for each in (*node.inputs, given)[1:]], reading)
        add(self._run(tape))

    def _run(self, tape: Tape) -> Request:
        coroutine = self._start(tape)
        try:
            coroutine.send(None)
        except StopIteration as end:
            return Done(str(end.value))
        except Starved:
            pass
        else:
            raise RuntimeError(f"{self.name} awaits something that is not the API server")
        finally:
            coroutine.close()
        assert tape.wanted is not None, "only a call starves a run"
        if isinstance(tape.wanted, Turn):
            return tape.wanted
        return Ask(tape.wanted, self._library.call_number(tape.wanted))


class Library:
    """Every node of every program and every call they make, by number."""

    def __init__(self, values: Values) -> None:
        self.values = values
        self.nodes: list[Node] = []
        self.calls: list[Call] = []
        self._call_numbers: dict[str, int] = {}

    def add(self, node: Node) -> Node:
        """Keep a new node."""
        self.nodes.append(node)
        return node

    def call_number(self, call: Call) -> int:
        """The number of a call; equal calls have the same."""
        fields = {name: getattr(call, name) for name in call.__slots__ if name != "resource"}
        text = canonical({**fields, "resource": call.resource.full_name})
        number = self._call_numbers.get(text)
        if number is None:
            number = self._call_numbers[text] = len(self.calls)
            self.calls.append(call)
        return number
