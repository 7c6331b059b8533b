"""The model: server, controller, control plane and node over one board, and what can go wrong between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from sandkit_server.core.port_errors import Exhausted, PortError, Unavailable
from sandkit_server.kubernetes.calls import Verb
from sandkit_server.testing.explorer.boards import Board, Boards, Slot, with_part
from sandkit_server.testing.explorer.nature import describe, happenings
from sandkit_server.testing.explorer.passes import Pass, Passes
from sandkit_server.testing.explorer.processes import ALONE, Others, Point, Processes
from sandkit_server.testing.explorer.programs import Ask, Done, Library, Node, Program, Turn
from sandkit_server.testing.explorer.search import Step
from sandkit_server.testing.explorer.setting import (
    ACCEPTED,
    BITS,
    CONTROLLER,
    ENDED,
    FIRST_NODE,
    SERVER,
    STALLABLE,
    TO_COME,
    Budget,
    Setting,
    State,
)
from sandkit_server.testing.explorer.verdicts import SUCCESS, Verdicts

_NO_LUCK: Final = Budget()
_READS: Final = frozenset({Verb.GET, Verb.LIST})

Steps = Iterator[Step[State, str]]


class _Carried(NamedTuple):
    """What came of a call: the board, what it touched, and its number if it was a write that was sent."""

    board: Board
    slots: tuple[Slot, ...] = ()
    writes: tuple[int, ...] = ()


class _Event(NamedTuple):
    """Something nature does to one part of a board, carried out."""

    label: str
    part: int
    after: int
    slots: tuple[Slot, ...]
    misfortune: bool
    actor: str
    writes: tuple[int, ...]


class World:
    """A :class:`~sandkit_server.testing.explorer.search.Model` of one setting."""

    def __init__(self, setting: Setting, library: Library, boards: Boards) -> None:
        self._setting = setting
        self._library = library
        self._boards = boards
        self._processes = Processes(library, boards)
        self._verdicts = Verdicts(boards, setting)
        self._last = len(boards.instants) - 1
        self._look = len(setting.operations)
        self._events: dict[tuple[int, int, int], list[_Event]] = {}
        self._passes = Passes(setting.controllers, library, boards, self._processes)
        self._texts: dict[tuple[int, int], str] = {}
        self._nothing = library.values.number(None)
        self._lost = library.values.number(Unavailable("the connection broke"))
        self._refused = library.values.number(Exhausted("quota", "exceeded quota"))

    # --- the protocol of a model

    def begin(self) -> State:
        """The first state: nothing under way, every cache as new as can be."""
        setting = self._setting
        return State(
            board=setting.start,
            server=setting.start,
            controller=setting.start,
            stalled=0,
            time=0,
            programs=(TO_COME,) * (self._look + 1),
            budget=setting.budget,
            begun=((0, 0),) * len(setting.sandboxes),
        )

    def steps(self, state: State) -> Steps:
        """Everything that can happen next."""
        for index, number in enumerate(state.programs):
            if number >= FIRST_NODE:
                yield from self._answers(state, index, self._library.nodes[number - FIRST_NODE])
            elif number == TO_COME and self._may_begin(state, index):
                yield self._begin(state, index)
        yield from self._reconciliations(state)
        for event in self._nature(state.board, state.time):
            if not event.misfortune:
                yield self._happened(state, event)
            elif state.budget.misfortunes:
                budget = state.budget._replace(misfortunes=state.budget.misfortunes - 1)
                yield self._happened(state._replace(budget=budget), event)
        yield from self._luck(state)

    def calm(self, state: State) -> Iterator[State]:
        """One piece for each sandbox, without bad luck; a look under way belongs to all."""
        ended = tuple(max(number, ENDED) for number in state.programs[:-1])
        calm = state._replace(budget=_NO_LUCK, programs=(*ended, state.programs[-1]))
        if state.programs[-1] >= FIRST_NODE:
            yield calm
            return
        for part in range(len(self._setting.sandboxes)):
            yield calm._replace(
                board=_only(state.board, part),
                server=_only(state.server, part),
                controller=_only(state.controller, part),
                programs=(
                    *(
                        number if operation.sandbox == part else ENDED
                        for number, operation in zip(ended, self._setting.operations, strict=True)
                    ),
                    TO_COME,
                ),
                begun=tuple(each if sandbox == part else (0, 0) for sandbox, each in enumerate(state.begun)),
            )

    def settle(self, state: State) -> Step[State, str] | None:
        """Everybody acts in turn and nothing fails; when all is quiet the server looks, then time passes."""
        for index, number in enumerate(state.programs):
            if number >= FIRST_NODE:
                step = next(self._answers(state, index, self._library.nodes[number - FIRST_NODE]), None)
                if step is not None:
                    return step
        if state.stalled:
            return self._followed(state, state.stalled)
        step = next(self._reconciliations(state), None)
        if step is None:
            events = self._nature(state.board, state.time)
            event = next((each for each in events if not each.misfortune), None)
            step = self._happened(state, event) if event is not None else self._looked(state)
        if step is None and state.time < self._last:
            broken = self._verdicts.unquiet(state.board, state.time, last=False)
            step = self._tick(state)._replace(broken=broken)
        return step

    def judge(self, state: State) -> str | None:
        """What is not as it should be at the end of time."""
        return self._verdicts.unquiet(state.board, state.time, last=True)

    # --- the server

    def _may_begin(self, state: State, index: int) -> bool:
        if index == self._look:
            return state.budget.looks > 0
        operation = self._setting.operations[index]
        if operation.creates and self._setting.sandboxes[operation.sandbox] in self._creates(state):
            return False  # one server joins a repeated create to the one under way
        return state.time >= operation.time and all(
            state.programs[each] == ACCEPTED for each in operation.after
        )

    def _begin(self, state: State, index: int) -> Step[State, str]:
        if index == self._look:
            state = state._replace(budget=state.budget._replace(looks=state.budget.looks - 1))
        root = self._program(index).root
        label = f"server: {root.program.name} begins"
        return self._moved(state, index, (root, self._nothing), label, _Carried(state.board))

    def _program(self, index: int) -> Program:
        setting = self._setting
        return setting.look if index == self._look else setting.operations[index].program

    def _answers(self, state: State, index: int, node: Node) -> Steps:
        """The call a program waits for is carried out; or it is not; or nobody is told."""
        ask = node.request
        if isinstance(ask, Turn):
            if ask.name not in self._others(state, index).turns:
                label = f"server: {node.program.name}: it is its turn"
                yield self._moved(state, index, (node, self._nothing), label, _Carried(state.board))
            return
        assert isinstance(ask, Ask), "a program under way waits for a call or its turn"
        effect = self._boards.apply(state.board, ask.number, state.time)
        slots = () if effect.slot is None else (effect.slot,)
        writes = () if ask.call.verb in _READS else (ask.number,)
        carried, nothing = _Carried(effect.board, slots, writes), _Carried(state.board)
        what = self._text(node.number, effect.given)
        yield self._moved(state, index, (node, effect.given), what, carried)
        if not state.budget.faults:
            return
        state = state._replace(budget=state.budget._replace(faults=state.budget.faults - 1))
        lost = (node, self._lost)
        yield self._moved(state, index, lost, f"{what}: not done, no answer", nothing)
        if effect.board != state.board:
            yield self._moved(state, index, lost, f"{what}: done, no answer", carried)
        if ask.call.verb is Verb.CREATE:
            refused = (node, self._refused)
            yield self._moved(state, index, refused, f"{what}: refused by quota", nothing)

    def _text(self, node: int, given: int) -> str:
        """A call of a program and how it was answered, in one line."""
        text = self._texts.get((node, given))
        if text is None:
            asking, answer = self._library.nodes[node], self._library.values[given]
            assert isinstance(asking.request, Ask), "it waits for a call"
            told = f" → {type(answer).__name__}" if isinstance(answer, PortError) else ""
            text = f"server: {asking.program.name}: {describe(asking.request.call)}{told}"
            self._texts[node, given] = text
        return text

    def _moved(self, state: State, index: int, at: Point, label: str, carried: _Carried) -> Step[State, str]:
        """A program goes on to its next call or its end."""
        board, slots, writes = carried
        server, controller = self._views(state, board, slots)
        others = self._others(state, index)
        if state.stalled & BITS[SERVER]:
            node, server = self._processes.rest_stalled(at, server, state.time, others)
        else:
            node = self._processes.rest(at, server, state.time, others)
        change = self._verdicts.change(state.board, board, SERVER, state.time)
        begun, broken = self._verdicts.count(state.begun, change.begun), change.broken
        number = node.number + FIRST_NODE
        if isinstance(node.request, Done):
            number = TO_COME
            label = f"{label}; it ends: {node.request.outcome}"
            if index != self._look:
                number = ACCEPTED if node.request.outcome == SUCCESS else ENDED
                operation = self._setting.operations[index]
                begun, untrue = self._verdicts.ended(begun, operation, node.request.outcome, board)
                broken = broken or untrue
        programs = (*state.programs[:index], number, *state.programs[index + 1 :])
        after = State(board, server, controller, state.stalled, state.time, programs, state.budget, begun)
        return Step(label, after, broken, writes)

    def _others(self, state: State, index: int) -> Others:
        """What the server is at besides one program."""
        nodes = self._library.nodes
        turns = frozenset[str]().union(
            *(
                nodes[number - FIRST_NODE].turns
                for place, number in enumerate(state.programs)
                if number >= FIRST_NODE and place != index
            )
        )
        creates = self._creates(state) if index == self._look else ()
        return Others(creates, turns) if creates or turns else ALONE

    def _creates(self, state: State) -> tuple[str, ...]:
        """The sandboxes whose create has begun and not ended."""
        return tuple(
            self._setting.sandboxes[operation.sandbox]
            for operation, number in zip(self._setting.operations, state.programs, strict=False)
            if operation.creates and number >= FIRST_NODE
        )

    def _looked(self, state: State) -> Step[State, str] | None:
        """A whole look while nothing else happens, if it changes anything."""
        board, labels, writes, broken = state.board, [], list[int](), None
        node = self._processes.rest((self._setting.look.root, self._nothing), board, state.time)
        while isinstance(node.request, Ask):
            effect = self._boards.apply(board, node.request.number, state.time)
            if effect.board != board:
                labels.append(describe(node.request.call))
                writes.append(node.request.number)
                change = self._verdicts.change(board, effect.board, SERVER, state.time)
                board, broken = effect.board, broken or change.broken
            node = self._processes.rest((node, effect.given), board, state.time)
        if board == state.board:
            return None
        after = state._replace(board=board, server=board, controller=board)
        return Step(f"server: look: {'; '.join(labels)}", after, broken, tuple(writes))

    # --- the controller

    def _reconciliations(self, state: State) -> Steps:
        """The next write for each object that asks for one, decided and carried out as one step."""
        stalled = state.stalled & BITS[CONTROLLER]
        for part in range(len(state.board)):
            for each in self._passes.of(
                state.board, state.controller, part, state.time, stalled=bool(stalled)
            ):
                yield self._wrote(state, part, each)

    def _wrote(self, state: State, part: int, done: Pass) -> Step[State, str]:
        board = with_part(state.board, part, done.board)
        view = with_part(state.controller, part, done.view)
        slots = () if done.slot is None else (done.slot,)
        server, controller = self._views(state, board, slots, controller=view)
        change = self._verdicts.change(state.board, board, CONTROLLER, state.time)
        after = state._replace(board=board, server=server, controller=controller)
        return Step(done.label, after, change.broken, done.writes)

    # --- everything else

    def _nature(self, board: Board, time: int) -> Iterator[_Event]:
        for part, number in enumerate(board):
            events = self._events.get((part, number, time))
            if events is None:
                events = self._events[part, number, time] = list(self._happenings(board, time, part))
            yield from events

    def _happenings(self, board: Board, time: int, part: int) -> Iterator[_Event]:
        """What can happen to one part; it sees no other, as no object refers to another part's."""
        for happening in happenings(self._boards.state(board, time, part)):
            after, slots, writes = board, [], [self._library.call_number(each) for each in happening.calls]
            for number in writes:
                effect = self._boards.apply(after, number, time)
                after = effect.board
                if effect.slot is not None:
                    slots.append(effect.slot)
            if after[part] != board[part]:
                label = f"{happening.actor}: {happening.label}"
                yield _Event(
                    label,
                    part,
                    after[part],
                    tuple(slots),
                    happening.misfortune,
                    happening.actor,
                    tuple(writes),
                )

    def _happened(self, state: State, event: _Event) -> Step[State, str]:
        board = with_part(state.board, event.part, event.after)
        server, controller = self._views(state, board, event.slots)
        change = self._verdicts.change(state.board, board, event.actor, state.time)
        after = state._replace(board=board, server=server, controller=controller)
        return Step(event.label, after, change.broken, event.writes)

    def _luck(self, state: State) -> Steps:
        """Time passes, the server dies, a watch falls behind or comes back."""
        budget = state.budget
        if state.time < self._last:
            yield self._tick(state)
        if budget.crashes and any(number >= FIRST_NODE for number in state.programs):
            yield self._crashed(state)
        if not (state.stalled or budget.stalls):
            return
        for (process, resource), bit in STALLABLE.items():
            if state.stalled & bit:
                yield self._followed(state, bit)
            elif budget.stalls:
                spent = budget._replace(stalls=budget.stalls - 1)
                label = f"{process}: its watch of {resource.plural} falls behind"
                yield Step(label, state._replace(stalled=state.stalled | bit, budget=spent))

    def _tick(self, state: State) -> Step[State, str]:
        later = self._boards.instants[state.time + 1]
        return Step(f"time: it is {later:%H:%M:%S}", state._replace(time=state.time + 1))

    def _crashed(self, state: State) -> Step[State, str]:
        """Nothing under way goes on; what a client asked then, it does not know the answer to."""
        programs = tuple(ENDED if number >= FIRST_NODE else number for number in state.programs[:-1])
        after = state._replace(
            programs=(*programs, TO_COME),
            budget=state.budget._replace(crashes=state.budget.crashes - 1),
            server=state.board,
            stalled=state.stalled & ~BITS[SERVER],
        )
        return Step("server: dies, and is started again", after)

    def _followed(self, state: State, bits: int) -> Step[State, str]:
        """Watches catch up."""
        views, names = {SERVER: state.server, CONTROLLER: state.controller}, []
        for (process, resource), bit in STALLABLE.items():
            if bits & bit:
                slots = self._boards.slots_of(resource)
                views[process] = self._boards.overlaid(views[process], state.board, slots)
                names.append(f"{process}: its watch of {resource.plural} catches up")
        after = state._replace(
            server=views[SERVER], controller=views[CONTROLLER], stalled=state.stalled & ~bits
        )
        return Step("; ".join(names), after)

    def _views(
        self, state: State, board: Board, slots: Sequence[Slot], controller: Board | None = None
    ) -> tuple[Board, Board]:
        """What both processes' caches hold after a change; those that have fallen behind hold on."""
        if not state.stalled:
            return board, board
        views = {SERVER: state.server, CONTROLLER: controller or state.controller}
        for process, view in views.items():
            fresh = [
                slot
                for slot in slots
                if not state.stalled & STALLABLE.get((process, self._boards.keys[slot.number].resource), 0)
            ]
            views[process] = self._boards.overlaid(view, board, fresh)
        return views[SERVER], views[CONTROLLER]


def _only(board: Board, part: int) -> Board:
    """One sandbox's part, and what is nobody's."""
    return tuple(number if place in {part, len(board) - 1} else 0 for place, number in enumerate(board))
