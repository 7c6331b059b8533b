"""The promises, judged once for each change and each quiet board, and counted along a trace."""

from __future__ import annotations

from typing import Final, NamedTuple

from sandkit_server.core.model import SandboxState
from sandkit_server.kubernetes import standing
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES
from sandkit_server.testing.explorer.boards import Board, Boards
from sandkit_server.testing.explorer.promises import Change, unquiet
from sandkit_server.testing.explorer.setting import SERVER, Operation, Setting

SUCCESS: Final = "success"
_BEGINNINGS: Final = {
    (SandboxState.RUNNING, SandboxState.PAUSING): 0,
    (SandboxState.PAUSED, SandboxState.RESUMING): 1,
}

Begun = tuple[tuple[int, int], ...]


class Judged(NamedTuple):
    """What a change breaks, and the pauses (0) and resumes (1) that began by it, with their sandbox."""

    broken: str | None = None
    begun: tuple[tuple[int, int], ...] = ()


_NOTHING = Judged()


class Verdicts:
    """Remembers what was judged. A part of a board is judged by itself, and once."""

    def __init__(self, boards: Boards, setting: Setting) -> None:
        self._boards = boards
        self._setting = setting
        self._changes: dict[tuple[int, int, int, str, int], Judged] = {}
        self._quiet: dict[tuple[int, int, int, bool], str | None] = {}

    def change(self, before: Board, after: Board, actor: str, time: int) -> Judged:
        """What one event did."""
        judged = _NOTHING
        for part, (old, new) in enumerate(zip(before, after, strict=True)):
            if old != new:
                key = (part, old, new, actor, time)
                known = self._changes.get(key)
                if known is None:
                    known = self._changes[key] = self._judge(part, before, after, actor, time)
                judged = Judged(judged.broken or known.broken, judged.begun + known.begun)
        return judged

    def unquiet(self, board: Board, time: int, *, last: bool) -> str | None:
        """What is left that should not be."""
        for part, number in enumerate(board):
            key = (part, number, time, last)
            if key not in self._quiet:
                objects = self._boards.objects(board, part)
                self._quiet[key] = unquiet(objects, self._boards.instants[time], last=last)
            if self._quiet[key] is not None:
                return self._quiet[key]
        return None

    @staticmethod
    def count(begun: Begun, more: tuple[tuple[int, int], ...]) -> Begun:
        """The pauses and resumes nobody was told of yet, with some more."""
        for sandbox, kind in more:
            begun = _added(begun, sandbox, kind, 1)
        return begun

    def ended(
        self, begun: Begun, operation: Operation, outcome: str, board: Board
    ) -> tuple[Begun, str | None]:
        """An operation has been answered: whether that is true."""
        name = self._setting.sandboxes[operation.sandbox]
        if outcome.startswith("crashed"):
            return begun, f"{operation.program.name} {outcome}"
        if outcome != SUCCESS:
            return begun, None
        if operation.begins is not None:
            if begun[operation.sandbox][operation.begins] == 0:
                return begun, f"{operation.program.name} is accepted, and nothing began by it"
            return _added(begun, operation.sandbox, operation.begins, -1), None
        found = self._boards.find(board, BATCH_SANDBOXES, name)
        gone = found is None or standing.state_of(found).state is SandboxState.STOPPING
        if operation.deletes and not gone:
            return begun, f"{operation.program.name} is accepted, and sandbox {name} lives"
        return begun, None

    def _judge(self, part: int, before: Board, after: Board, actor: str, time: int) -> Judged:
        objects = self._boards.objects
        change = Change(objects(before, part), objects(after, part))
        broken = change.broken(actor, self._setting.foreign, self._boards.instants[time])
        begun = tuple(
            (part, _BEGINNINGS[source, target])
            for _, source, target in change.transitions()
            if actor == SERVER and (source, target) in _BEGINNINGS
        )
        return Judged(broken, begun)


def _added(begun: Begun, sandbox: int, kind: int, more: int) -> Begun:
    counts = list(begun[sandbox])
    counts[kind] += more
    return (*begun[:sandbox], (counts[0], counts[1]), *begun[sandbox + 1 :])
