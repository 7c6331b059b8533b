"""Rules about states.yaml: closed, total, reachable, and in step with the OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator

from sandkit_codegen.lint.rule import Defect, listed, rule
from sandkit_codegen.load import UNKNOWN, MapNode, SpecSet, StateMachine, texts_of


def _machines(specs: SpecSet) -> Iterator[StateMachine]:
    yield from specs.states.values()


@rule("state-unique")
def state_unique(specs: SpecSet) -> Iterator[Defect]:
    """No state is declared twice."""
    for machine in _machines(specs):
        seen: set[str] = set()
        for state in machine.states:
            if state.name in seen:
                position = state.node.entries["name"].position
                yield Defect(position, f"The state {state.name} is declared twice.", "Remove one of the two.")
            seen.add(state.name)


@rule("state-declared")
def state_declared(specs: SpecSet) -> Iterator[Defect]:
    """Every state that is mentioned is declared."""
    for machine in _machines(specs):
        known = f"Declare it under `states`, or use one of: {listed(machine.state_names)}."
        used = [(node, node.position) for node in machine.node.items_of("initial")]
        used += [
            (transition.node.entries[key], transition.node.entries[key].position)
            for transition in machine.transitions
            for key in ("from", "to")
        ]
        used += [
            (outcome.node.entries["to"], outcome.node.entries["to"].position)
            for row in machine.operations.values()
            for outcome in row.values()
            if outcome.to is not None
        ]
        for node, position in used:
            name = getattr(node, "value", None)
            if name not in machine.state_names:
                yield Defect(position, f"The state {name} is not declared.", known)


@rule("transition-unique")
def transition_unique(specs: SpecSet) -> Iterator[Defect]:
    """Every transition changes the state and is given once."""
    for machine in _machines(specs):
        seen: set[tuple[str, str]] = set()
        for transition in machine.transitions:
            pair = (transition.source, transition.target)
            if transition.source == transition.target:
                what = f"{transition.source} leads to itself."
                yield Defect(transition.node.position, what, "Remove it; staying is not a transition.")
            if pair in seen:
                what = f"The transition from {pair[0]} to {pair[1]} is given twice."
                yield Defect(transition.node.position, what, "Merge the causes into one.")
            seen.add(pair)


@rule("state-terminal")
def terminal_exits(specs: SpecSet) -> Iterator[Defect]:
    """Terminal states, and only those, have no exit."""
    for machine in _machines(specs):
        exits = {transition.source for transition in machine.transitions}
        terminal = {state.name for state in machine.states if state.terminal}
        for transition in machine.transitions:
            if transition.source in terminal:
                what = f"{transition.source} is terminal, but {transition.target} follows it."
                remedy = f"Remove the transition, or set `terminal: false` on {transition.source}."
                yield Defect(transition.node.at("from"), what, remedy)
        for state in machine.states:
            if not state.terminal and state.name not in exits:
                what = f"Nothing follows {state.name}, but it is not terminal."
                yield Defect(state.node.at("terminal"), what, "Add a transition, or set `terminal: true`.")


@rule("state-reachable")
def state_reachable(specs: SpecSet) -> Iterator[Defect]:
    """Every state can be reached from an initial one."""
    for machine in _machines(specs):
        reached = set(machine.initial)
        while True:
            further = {item.target for item in machine.transitions if item.source in reached} - reached
            if not further:
                break
            reached |= further
        for state in machine.states:
            if state.name not in reached:
                what = f"No way leads from {listed(machine.initial)} to {state.name}."
                yield Defect(
                    state.node.entries["name"].position, what, "Add a transition to it, or remove it."
                )


@rule("table-total")
def table_total(specs: SpecSet) -> Iterator[Defect]:
    """Every operation answers in every state and for an unknown id."""
    for machine in _machines(specs):
        operations = machine.node.map("operations")
        wanted = (*machine.state_names, UNKNOWN)
        for operation_id, row in machine.operations.items():
            node = operations.map(operation_id) if operations else None
            place = operations.at(operation_id) if operations else machine.node.position
            missing = [state for state in wanted if state not in row]
            if missing:
                what = f"{operation_id} has no answer for {listed(missing)}."
                yield Defect(place, what, "Add a cell for each; a server must answer in every state.")
            for state in row:
                if state not in wanted:
                    remedy = f"Correct it; the columns are {listed(wanted)}."
                    yield Defect(node.at(state) if node else place, f"{state} is not a state.", remedy)


@rule("table-operation")
def table_operation(specs: SpecSet) -> Iterator[Defect]:
    """State tables are about existing operations."""
    known = [operation.operation_id for operation in specs.openapi.operations]
    for machine in _machines(specs):
        operations = machine.node.map("operations")
        for operation_id, position in operations.keys.items() if operations else ():
            if operation_id not in known:
                remedy = f"Correct it; the operations are {listed(known)}."
                yield Defect(position, f"lifecycle.yaml has no operation {operation_id}.", remedy)


@rule("table-transition")
def table_transition(specs: SpecSet) -> Iterator[Defect]:
    """What an operation does to the state is a legal transition."""
    for machine in _machines(specs):
        legal = {(transition.source, transition.target) for transition in machine.transitions}
        for operation_id, row in machine.operations.items():
            for state, outcome in row.items():
                if outcome.to is None or outcome.to not in machine.state_names:
                    continue
                if (state, outcome.to) not in legal:
                    what = f"{operation_id} leads from {state} to {outcome.to}, which is no transition."
                    position = outcome.node.entries["to"].position
                    yield Defect(position, what, "Add the transition, or correct the cell.")


@rule("state-values")
def state_values(specs: SpecSet) -> Iterator[Defect]:
    """The OpenAPI document lists the states of the tables.

    `SandboxStatus.state` lists the states of the machine `sandbox`, and so on.
    """
    for machine in _machines(specs):
        name = f"{machine.resource.capitalize()}Status"
        schema = specs.openapi.components("schemas").get(name)
        properties = schema.map("properties") if isinstance(schema, MapNode) else None
        state = properties.map("state") if properties else None
        if state is None:
            what = f"lifecycle.yaml has no property `state` in the schema {name}."
            yield Defect(specs.openapi.root.at("components"), what, "Add it; clients read the state there.")
        elif texts_of(state.get("x-known-values")) != machine.state_names:
            what = f"The known values of {name}.state are not the states of states.yaml."
            remedy = f"Write x-known-values: [{listed(machine.state_names)}]."
            yield Defect(state.at("x-known-values"), what, remedy)


RULES = (
    state_unique,
    state_declared,
    transition_unique,
    terminal_exits,
    state_reachable,
    table_total,
    table_operation,
    table_transition,
    state_values,
)
