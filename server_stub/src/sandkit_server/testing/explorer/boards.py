"""What is stored, as numbers: a cell is one object, a part all cells of a sandbox, a board all parts.

The abstract cluster does the work; here it is remembered, so that each write to each object in each state is
carried out once. Two sandboxes touch each other's objects only where something is wrong, so nearly everything
is known from one part, and a board of two known parts costs nothing.

Versions are counted per object and not per cluster: whoever compares versions of one object cannot tell, and
independent writes lead to the same board in whatever order they happen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sandkit_server.core.port_errors import PortError
from sandkit_server.kubernetes.calls import Call, Object, Verb
from sandkit_server.kubernetes.resources import Resource
from sandkit_server.testing.cluster.state import Key, State
from sandkit_server.testing.cluster.storage import Stamp, not_found, write
from sandkit_server.testing.explorer.programs import Library
from sandkit_server.testing.explorer.values import canonical

NAMESPACE: Final = "explored"

# The number of the part of each sandbox, and of the part of everything else.
Board = tuple[int, ...]


class Cell(NamedTuple):
    """One name: the object there, if any, how often it was written, and how often it was taken."""

    object: Object | None
    version: int = 0
    births: int = 0


class Slot(NamedTuple):
    """Where a name stands: in which part, and where there."""

    part: int
    place: int
    number: int


class Effect(NamedTuple):
    """The board after a call, and the number of the value it was answered with."""

    board: Board
    given: int
    slot: Slot | None = None


class Boards:
    """All cells and parts that came up, by number; part 0 is the empty one."""

    def __init__(self, library: Library, instants: Sequence[datetime], sandboxes: Sequence[str]) -> None:
        self._library = library
        self._sandboxes = sandboxes
        self.instants = instants
        self.keys: list[Key] = []
        self._slots: dict[Key, Slot] = {}
        self._members: list[list[Key]] = [[] for _ in range(len(sandboxes) + 1)]
        self.cells: list[Cell] = [Cell(None)]
        self._cell_numbers: dict[str, int] = {}
        self._values: list[int] = [library.values.number(None)]
        self._cells_by_value: dict[tuple[int, int], int] = {}
        self._parts: list[tuple[int, ...]] = [()]
        self._part_numbers: dict[tuple[int, ...], int] = {(): 0}
        self._call_slots: dict[int, Slot] = {}
        self._writes: dict[tuple[int, int, int], tuple[int, int]] = {}
        self._lists: dict[tuple[int, Board], int] = {}

    @property
    def empty(self) -> Board:
        """Nothing stored."""
        return (0,) * len(self._members)

    # --- looking

    def part_of(self, name: str) -> int:
        """The part in which a name stands: that of the sandbox it contains, else the last."""
        for part, sandbox in enumerate(self._sandboxes):
            if sandbox in name:
                return part
        return len(self._sandboxes)

    def slot(self, resource: Resource, name: str) -> Slot:
        """Where a name stands on every board."""
        key = Key(resource, name)
        slot = self._slots.get(key)
        if slot is None:
            part = self.part_of(name)
            slot = self._slots[key] = Slot(part, len(self._members[part]), len(self.keys))
            self._members[part].append(key)
            self.keys.append(key)
        return slot

    def cell(self, board: Board, slot: Slot) -> int:
        """The number of the cell of a board."""
        cells = self._parts[board[slot.part]]
        return cells[slot.place] if slot.place < len(cells) else 0

    def find(self, board: Board, resource: Resource, name: str) -> Object | None:
        """One object of a board."""
        return self.cells[self.cell(board, self.slot(resource, name))].object

    def objects(self, board: Board, *parts: int) -> Mapping[Key, Object]:
        """What is stored, or only some parts of it."""
        found = {}
        for part in parts or range(len(board)):
            for key, number in zip(self._members[part], self._parts[board[part]], strict=False):
                stored = self.cells[number].object
                if stored is not None:
                    found[key] = stored
        return found

    def state(self, board: Board, time: int, *parts: int) -> State:
        """A board, or some parts of it, as the abstract cluster's own state."""
        objects = self.objects(board, *parts)
        return State(now=self.instants[time], namespace=NAMESPACE, objects=objects)

    def value_of(self, board: Board, slot: Slot) -> int:
        """The number of the value a look at one name gives."""
        return self._values[self.cell(board, slot)]

    def cell_of(self, slot: Slot, value: int) -> int:
        """The number of the cell whose object was given as a value."""
        return self._cells_by_value[slot.number, value]

    def select(
        self, board: Board, resource: Resource, labels: Mapping[str, str], part: int | None = None
    ) -> int:
        """The number of the list of all objects of a kind that carry all of ``labels``.

        Only of one part, and what is nobody's, if one is given.
        """
        parts = () if part is None else (part, len(self._sandboxes))
        state = self.state(board, 0, *parts)
        return self._library.values.number(list(state.all(resource, labels)))

    def slots_of(self, resource: Resource) -> Iterator[Slot]:
        """Where objects of one kind stand."""
        return (slot for key, slot in self._slots.items() if key.resource == resource)

    # --- changing

    def apply(self, board: Board, number: int, time: int) -> Effect:
        """Carry out the call of this number."""
        call = self._library.calls[number]
        if call.verb is Verb.LIST:
            return Effect(board, self._list(board, number, call))
        slot = self._call_slots.get(number)
        if slot is None:
            slot = self._call_slots[number] = self.slot(call.resource, call.name)
        before = self.cell(board, slot)
        result = self._writes.get((number, before, time))
        if result is None:
            result = self._writes[number, before, time] = self._carry_out(call, before, time)
            self._cells_by_value.setdefault((slot.number, result[1]), result[0])
        after, given = result
        return Effect(board if after == before else self.with_cell(board, slot, after), given, slot)

    def with_cell(self, board: Board, slot: Slot, cell: int) -> Board:
        """The board that differs in one cell."""
        cells = self._parts[board[slot.part]]
        if slot.place < len(cells):
            cells = (*cells[: slot.place], cell, *cells[slot.place + 1 :])
        else:
            cells = (*cells, *(0,) * (slot.place - len(cells)), cell)
        while cells and cells[-1] == 0:
            cells = cells[:-1]
        number = self._part_numbers.get(cells)
        if number is None:
            number = self._part_numbers[cells] = len(self._parts)
            self._parts.append(cells)
        return with_part(board, slot.part, number)

    def overlaid(self, board: Board, other: Board, slots: Iterable[Slot]) -> Board:
        """``board`` with some cells as they are on another one."""
        for slot in slots:
            board = self.with_cell(board, slot, self.cell(other, slot))
        return board

    def _carry_out(self, call: Call, before: int, time: int) -> tuple[int, int]:
        """The cell afterwards, and the value of the answer."""
        cell = self.cells[before]
        stamp = Stamp(
            now=self.instants[time],
            version=str(cell.version + 1),
            uid=f"uid-{call.resource.plural}-{call.name}-{cell.births + 1}",
            namespace=NAMESPACE,
        )
        try:
            if call.verb is Verb.GET:
                if cell.object is None:
                    raise not_found(call.resource, call.name)
                return before, self._values[before]
            stored, answer = write(call, cell.object, stamp)
        except PortError as error:
            return before, self._library.values.number(error)
        given = self._library.values.number(answer)
        if stored is cell.object:
            return before, given
        births = cell.births + (1 if cell.object is None else 0)
        return self._cell_number(Cell(stored, cell.version + 1, births)), given

    def _cell_number(self, cell: Cell) -> int:
        text = canonical(cell)
        number = self._cell_numbers.get(text)
        if number is None:
            number = self._cell_numbers[text] = len(self.cells)
            self.cells.append(cell)
            self._values.append(self._library.values.number(cell.object))
        return number

    def _list(self, board: Board, number: int, call: Call) -> int:
        parts = [self.part_of(value) for value in call.labels.values()]
        seen = tuple(board[part] for part in parts if part < len(self._sandboxes)) or board
        given = self._lists.get((number, seen))
        if given is None:
            items = self._library.values[self.select(board, call.resource, call.labels)]
            listed = {
                "apiVersion": call.resource.api_version,
                "kind": f"{call.resource.kind}List",
                "metadata": {"resourceVersion": "0"},
                "items": items,
            }
            given = self._lists[number, seen] = self._library.values.number(listed)
        return given


def with_part(board: Board, part: int, number: int) -> Board:
    """The board that differs in one part."""
    return (*board[:part], number, *board[part + 1 :])
