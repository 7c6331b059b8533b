"""What the controller does next about the objects of one part: decided on what it sees, done on what is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sandkit_server.testing.explorer.boards import Board, Boards, Slot
from sandkit_server.testing.explorer.nature import describe
from sandkit_server.testing.explorer.processes import Processes
from sandkit_server.testing.explorer.programs import Ask, Library, Program
from sandkit_server.testing.explorer.setting import Controllers


class Pass(NamedTuple):
    """What came of looking at one object: its part of the board and of the controller's view afterwards."""

    label: str
    board: int
    view: int
    slot: Slot | None = None
    writes: tuple[int, ...] = ()


class Passes:
    """Runs the controller's programs up to their first write that takes effect, each once for each view."""

    def __init__(
        self, controllers: Controllers, library: Library, boards: Boards, processes: Processes
    ) -> None:
        self._controllers = controllers
        self._boards = boards
        self._processes = processes
        self._known: dict[tuple[int, ...], Sequence[Pass]] = {}
        self._nothing = library.values.number(None)

    def of(self, board: Board, view: Board, part: int, time: int, *, stalled: bool) -> Sequence[Pass]:
        """For each object of a part that asks for a write now. What is nobody's may be read by all."""
        key = (part, view[part], board[part], board[-1], time, stalled)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = list(self._run(board, view, part, time, stalled=stalled))
        return known

    def _run(self, board: Board, view: Board, part: int, time: int, *, stalled: bool) -> Iterator[Pass]:
        for key in self._boards.state(view, 0, part).taken():
            program = self._controllers.program(key)
            if program is not None:
                made = self._pass(program, board, view, time, stalled=stalled)
                if made.board != board[part] or made.view != view[part]:
                    yield made

    def _pass(self, program: Program, board: Board, view: Board, time: int, *, stalled: bool) -> Pass:
        """Reads and refusals lead on; a refusal may be all there is, and then it is learnt from."""
        at, part = (program.root, self._nothing), program.part
        assert part is not None, "what is reconciled stands in a part"
        while True:
            if stalled:
                node, view = self._processes.rest_stalled(at, view, time)
            else:
                node = self._processes.rest(at, board, time)
            if not isinstance(node.request, Ask):
                return Pass(f"controller: {program.name}: learns of a refusal", board[part], view[part])
            effect = self._boards.apply(board, node.request.number, time)
            at = (node, effect.given)
            if effect.board != board:
                break
        if stalled:
            _, view = self._processes.rest_stalled(at, view, time)
        label, write = f"controller: {describe(node.request.call)}", node.request.number
        return Pass(label, effect.board[part], view[part], effect.slot, (write,))
