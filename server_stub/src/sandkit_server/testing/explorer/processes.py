"""Where a program comes to rest: it reads from its process's caches at once, and waits only for calls."""

from __future__ import annotations

from collections.abc import Hashable
from functools import partial
from typing import Any, Final, NamedTuple

from sandkit_server.kubernetes.resources import Resource
from sandkit_server.testing.explorer.boards import Board, Boards
from sandkit_server.testing.explorer.programs import Library, LookUp, Node, Program, Read, Turn

# A node, and the number of the value it is given.
Point = tuple[Node, int]


class Others(NamedTuple):
    """What other programs of the same process are at.

    Attributes:
        creates: Sandboxes whose create is under way.
        turns: Sandboxes whose turn one of them has.
    """

    creates: tuple[str, ...] = ()
    turns: frozenset[str] = frozenset()


ALONE: Final = Others()


class Processes:
    """Takes programs through their reads. What they see is a board, which may be an old one."""

    def __init__(self, library: Library, boards: Boards) -> None:
        self._library = library
        self._boards = boards
        self._rests: dict[tuple[Any, ...], Node] = {}
        self._stalled: dict[tuple[Any, ...], tuple[Node, Board]] = {}

    def rest(self, at: Point, view: Board, time: int, others: Others = ALONE) -> Node:
        """Where a program waits for its next call or has ended, while the caches follow the board."""
        node, given = at
        part = node.program.part
        key = (node.number, given, view if part is None else view[part], time, others)
        found = self._rests.get(key)
        if found is None:
            look_up = partial(self._look_up, view, time, others)
            found = node.program.after(node, given, look_up)
            while (given_next := self._at_once(found, look_up, others)) is not None:
                found = found.program.after(found, given_next, look_up)
            self._rests[key] = found
        return found

    def rest_stalled(self, at: Point, view: Board, time: int, others: Others = ALONE) -> tuple[Node, Board]:
        """Likewise where caches have fallen behind, and what the program writes through them counts."""
        key = (at[0].number, at[1], view, time, others)
        found = self._stalled.get(key)
        if found is None:
            found = self._stalled[key] = self._go_on(at, view, time, others)
        return found

    def _go_on(self, at: Point, view: Board, time: int, others: Others) -> tuple[Node, Board]:
        node, given = at
        while True:
            look_up = partial(self._look_up, view, time, others)
            node = node.program.after(node, given, look_up)
            view = self._written(view, node.effects)
            following = self._at_once(node, partial(self._look_up, view, time, others), others)
            if following is None:
                return node, view
            given = following

    def _at_once(self, node: Node, look_up: LookUp, others: Others) -> int | None:
        """What a program is given without waiting: what it reads, and a turn that nobody else has."""
        match node.request:
            case Read() as read:
                return look_up(node.program, read)
            case Turn(name) if name not in others.turns:
                return self._library.values.number(None)
        return None

    def _look_up(self, view: Board, time: int, others: Others, program: Program, read: Read) -> int:
        """The number of the value that a read gives."""
        boards, part = self._boards, program.part
        match read.what:
            case ("now",):
                return self._library.values.number(boards.instants[time])
            case ("get", Resource() as resource, str(name)):
                slot = boards.slot(resource, name)
                if part is None or slot.part == part:
                    return boards.value_of(view, slot)
            case ("items", Resource() as resource, frozenset() as pairs):
                # Who lists a whole kind picks what is of its sandbox; the rest is left out beforehand.
                return boards.select(view, resource, dict(pairs), part)
            case ("under way",):
                return self._library.values.number(list(others.creates))
        raise LookupError(f"{program.name} reads {read.what}")

    def _written(self, view: Board, effects: tuple[tuple[Hashable, ...], ...]) -> Board:
        boards = self._boards
        for effect in effects:
            match effect:
                case ("observe", Resource() as resource, str(name), int(value)):
                    slot = boards.slot(resource, name)
                    cell = boards.cell_of(slot, value)
                    if boards.cells[cell].version > boards.cells[boards.cell(view, slot)].version:
                        view = boards.with_cell(view, slot, cell)
                case ("forget", Resource() as resource, str(name)):
                    view = boards.with_cell(view, boards.slot(resource, name), 0)
        return view
