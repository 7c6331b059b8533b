"""What one exploration is about, and what one of its states is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from sandkit_server.kubernetes.resources import BATCH_SANDBOXES, JOBS, PODS, SNAPSHOTS, Resource
from sandkit_server.testing.cluster.state import Key
from sandkit_server.testing.explorer.boards import Board
from sandkit_server.testing.explorer.programs import Program

# The two processes of ours.
SERVER: Final = "server"
CONTROLLER: Final = "controller"

# Caches that can stop to follow, each with its bit in a state.
STALLABLE: Final[Mapping[tuple[str, Resource], int]] = {
    (SERVER, BATCH_SANDBOXES): 1,
    (CONTROLLER, BATCH_SANDBOXES): 2,
    (CONTROLLER, SNAPSHOTS): 4,
    (CONTROLLER, PODS): 8,
    (CONTROLLER, JOBS): 16,
}
BITS: Final[Mapping[str, int]] = {
    process: sum(bit for (each, _), bit in STALLABLE.items() if each == process)
    for process in (SERVER, CONTROLLER)
}

# Where an operation is: not begun, ended, ended with success, or at the node of the number less this.
TO_COME: Final = 0
ENDED: Final = 1
ACCEPTED: Final = 2
FIRST_NODE: Final = 3


class Budget(NamedTuple):
    """Bad luck that one trace may still have.

    Attributes:
        faults: Calls of the server that get no answer, before or after their effect, or are refused.
        crashes: Of the server, with everything it has under way.
        stalls: Watches that fall behind.
        misfortunes: Pods and jobs that fail.
        looks: Times the server looks for what a crash left.
    """

    faults: int = 0
    crashes: int = 0
    stalls: int = 0
    misfortunes: int = 0
    looks: int = 0


class State(NamedTuple):
    """One state. Everything is a number; the tables behind them grow as the search goes on.

    Attributes:
        board: What the API server stores.
        server: What the server's caches hold, as a board.
        controller: What the controller's caches hold.
        stalled: Which of these caches follow no more.
        time: Index of the present instant.
        programs: Where each operation is; the last one is the look.
        begun: For each sandbox, pauses and resumes that began and whose caller was not told yet.
    """

    board: Board
    server: Board
    controller: Board
    stalled: int
    time: int
    programs: tuple[int, ...]
    budget: Budget
    begun: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """Something a client asks of the server, once.

    Attributes:
        program: The product's own code for it.
        sandbox: Index of the sandbox it is about.
        begins: 0 if success means that a pause began by it, 1 for a resume.
        creates: It makes the sandbox; a look leaves alone what belongs to it meanwhile.
        deletes: Success means that the sandbox is on its way out.
        after: Operations that have succeeded before, by index.
        time: Index of the first instant at which it may be asked.
    """

    program: Program
    sandbox: int
    begins: int | None = None
    creates: bool = False
    deletes: bool = False
    after: tuple[int, ...] = ()
    time: int = 0


class Controllers(Protocol):
    """The programs that reconcile, one for each object."""

    def program(self, key: Key) -> Program | None:
        """The one for what is stored under ``key``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What one exploration is about.

    Attributes:
        start: The first board.
        sandboxes: Ids, as operations count them.
        foreign: Claims that nobody here may touch.
        look: What the server does at intervals for what a crash left.
    """

    start: Board
    sandboxes: tuple[str, ...]
    operations: tuple[Operation, ...]
    budget: Budget
    controllers: Controllers
    look: Program
    foreign: tuple[str, ...] = ()
