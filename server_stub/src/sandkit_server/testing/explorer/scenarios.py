"""What is explored: two sandboxes in some state, what is asked of them, and how much goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from sandkit_server.controller.decision import DOCKER_CONFIG
from sandkit_server.kubernetes.calls import create
from sandkit_server.kubernetes.resources import CLAIMS, SECRETS
from sandkit_server.testing.explorer.boards import Board, Boards
from sandkit_server.testing.explorer.operations import Operations
from sandkit_server.testing.explorer.programs import Library, Program
from sandkit_server.testing.explorer.promises import OF_SANDBOX
from sandkit_server.testing.explorer.reconcilers import PUSH_SECRET, Reconcilers
from sandkit_server.testing.explorer.setting import Budget, Operation, Setting, State
from sandkit_server.testing.explorer.values import Values
from sandkit_server.testing.explorer.world import World

A: Final = "sbx-a"
B: Final = "sbx-b"
SANDBOXES: Final = (A, B)
# A claim that was there before; and one that is made without the opt-in.
FOREIGN: Final = "foreign"

_BEGINNING: Final = datetime(2026, 1, 1, tzinfo=UTC)
# The beginning; after every grace and time-out; after the first expiry; after a renewed one.
INSTANTS: Final = tuple(_BEGINNING + timedelta(seconds=seconds) for seconds in (0, 700, 1_000, 4_000))
LIFETIME: Final = 900
RENEWED: Final = _BEGINNING + timedelta(seconds=3_000)


_FOREIGN_CLAIM: Final = {
    "metadata": {"name": FOREIGN},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}
_PUSH_SECRET: Final = {
    "metadata": {"name": PUSH_SECRET},
    "type": DOCKER_CONFIG,
    "data": {".dockerconfigjson": "e30="},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One operation of a scenario: its name, its sandbox, and what has to have ended before."""

    what: str
    sandbox: str
    after: tuple[int, ...] = ()
    time: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One exploration as data.

    Attributes:
        given: What is done to begin with, in order, each until all is quiet.
        asked: What may be asked afterwards, in any order.
        lifetimes: Seconds after which a sandbox expires; ``None`` for never.
        depth: Steps of a trace.
        weight: How long it takes, compared with the others.
    """

    name: str
    given: Sequence[Asked] = ()
    asked: Sequence[Asked]
    budget: Budget
    depth: int
    lifetimes: Mapping[str, int | None]
    weight: int = 1


class Stage:
    """A scenario made ready: tables, programs, and the board it begins with."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.library = Library(Values())
        self.boards = Boards(self.library, INSTANTS, SANDBOXES)
        self._operations = Operations(self.library, self.boards.part_of)
        self._controllers = Reconcilers(self.library, self.boards.part_of)
        self._look = self._operations.look()
        self._programs: dict[tuple[str, str], Program] = {}
        self.world = World(self._setting(self._given()), self.library, self.boards)

    def _setting(self, start: Board) -> Setting:
        scenario = self.scenario
        return Setting(
            start=start,
            sandboxes=SANDBOXES,
            operations=tuple(self._operation(asked) for asked in scenario.asked),
            budget=scenario.budget,
            controllers=self._controllers,
            look=self._look,
            foreign=(FOREIGN,),
        )

    def _given(self) -> Board:
        """The board after what is given."""
        board = self.boards.empty
        for call in (create(CLAIMS, _FOREIGN_CLAIM), create(SECRETS, _PUSH_SECRET)):
            board = self.boards.apply(board, self.library.call_number(call), 0).board
        for asked in self.scenario.given:
            alone = replace(self._setting(board), operations=(self._operation(asked),))
            world = World(alone, self.library, self.boards)
            begun = next(step for step in world.steps(world.begin()) if "begins" in step.label)
            board = self._quiet(world, begun.state).board
        return board

    def _quiet(self, world: World, state: State) -> State:
        while (step := world.settle(state)) is not None:
            if step.broken is not None:
                raise AssertionError(f"{self.scenario.name}: {step.label}: {step.broken}")
            if step.state.time > state.time:
                break
            state = step.state
        return state

    def _operation(self, asked: Asked) -> Operation:
        program = self._program(asked)
        return Operation(
            program=program,
            sandbox=SANDBOXES.index(asked.sandbox),
            begins={"pause": 0, "resume": 1}.get(asked.what),
            creates=asked.what.startswith("create"),
            deletes=asked.what == "delete",
            after=asked.after,
            time=asked.time,
        )

    def _program(self, asked: Asked) -> Program:
        key = (asked.what, asked.sandbox)
        if key not in self._programs:
            make = self._makers()[asked.what]
            self._programs[key] = make(asked.sandbox)
        return self._programs[key]

    def _makers(self) -> Mapping[str, Callable[[str], Program]]:
        operations, lifetimes = self._operations, self.scenario.lifetimes

        def make(sandbox: str, *, keyed: bool) -> Program:
            claims = {f"{OF_SANDBOX}{sandbox}": True, FOREIGN: False}
            return operations.create(sandbox, claims, lifetime=lifetimes.get(sandbox), keyed=keyed)

        return {
            "create": lambda sandbox: make(sandbox, keyed=False),
            "create keyed": lambda sandbox: make(sandbox, keyed=True),
            "delete": operations.delete,
            "pause": operations.pause,
            "resume": operations.resume,
            "give up": operations.give_up,
            "renew": lambda sandbox: operations.renew(sandbox, RENEWED),
        }
