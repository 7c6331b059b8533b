"""The typed content of states.yaml, errors.yaml and requirements/*.yaml.

The builders expect documents that passed their JSON Schema; `node` leads back to the place in the file and
takes no part in comparisons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sandkit_codegen.load.document import Document
from sandkit_codegen.load.nodes import MapNode, Node, ScalarNode, texts_of

UNKNOWN = "(unknown)"
"""The column of an operation table for an id that names nothing."""


@dataclass(frozen=True, slots=True)
class State:
    """A state on the wire. Transitional states are left by the server itself, terminal ones never."""

    name: str
    description: str
    transitional: bool
    terminal: bool
    node: MapNode = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Transition:
    """A legal change of state."""

    source: str
    target: str
    cause: str
    node: MapNode = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an operation answers in one state: HTTP status, error code, state entered before the answer."""

    status: int
    code: str | None
    to: str | None
    node: MapNode = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class StateMachine:
    """The states and transitions of one kind of resource and, per operationId and state, the answers."""

    resource: str
    states: tuple[State, ...]
    initial: tuple[str, ...]
    transitions: tuple[Transition, ...]
    operations: Mapping[str, Mapping[str, Outcome]]
    node: MapNode = field(compare=False, repr=False)

    @property
    def state_names(self) -> tuple[str, ...]:
        """The names of the states in declared order."""
        return tuple(state.name for state in self.states)


@dataclass(frozen=True, slots=True)
class ErrorDefinition:
    """One error code with its single status; `retryable` is never, backoff or retry-after."""

    code: str
    status: int
    meaning: str
    retryable: str
    remedy: str
    node: MapNode = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Requirement:
    """One numbered promise; the fields are described in specs/schemas/requirements.schema.json."""

    id: str
    level: str
    authority: str
    text: str
    rationale: str
    operation: tuple[str, ...]
    capability: str | None
    probe: tuple[str, ...]
    control: tuple[str, ...]
    testable_on: tuple[str, ...]
    check: str | None
    source: str
    notes: str | None
    node: MapNode = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class RequirementArea:
    """One file of requirements, in the order of their numbers."""

    area: str
    title: str
    requirements: tuple[Requirement, ...]
    node: MapNode = field(compare=False, repr=False)


def build_state_machines(document: Document) -> Mapping[str, StateMachine]:
    """The state machines by resource name, in document order."""
    root = _map(document.root)
    return {name: _machine(name, _map(node)) for name, node in root.entries.items() if name != "version"}


def build_errors(document: Document) -> tuple[ErrorDefinition, ...]:
    """The error codes in document order."""
    return tuple(
        ErrorDefinition(
            code=_text(node, "code"),
            status=_integer(node, "status"),
            meaning=_text(node, "meaning"),
            retryable=_text(node, "retryable"),
            remedy=_text(node, "remedy"),
            node=node,
        )
        for node in map(_map, _map(document.root).items_of("errors"))
    )


def build_requirement_area(document: Document) -> RequirementArea:
    """The requirements of one area; folded paragraphs lose their trailing line end."""
    root = _map(document.root)
    requirements = tuple(_requirement(_map(node)) for node in root.items_of("requirements"))
    return RequirementArea(_text(root, "area"), _text(root, "title"), requirements, root)


def _machine(resource: str, node: MapNode) -> StateMachine:
    operations = _map(node.entries["operations"])
    return StateMachine(
        resource=resource,
        states=tuple(_state(_map(item)) for item in node.items_of("states")),
        initial=texts_of(node.get("initial")),
        transitions=tuple(_transition(_map(item)) for item in node.items_of("transitions")),
        operations={
            operation: {state: _outcome(_map(cell)) for state, cell in _map(row).entries.items()}
            for operation, row in operations.entries.items()
        },
        node=node,
    )


def _state(node: MapNode) -> State:
    flags = (_flag(node, "transitional"), _flag(node, "terminal"))
    return State(_text(node, "name"), _text(node, "description"), *flags, node)


def _transition(node: MapNode) -> Transition:
    return Transition(_text(node, "from"), _text(node, "to"), _text(node, "cause"), node)


def _outcome(node: MapNode) -> Outcome:
    return Outcome(_integer(node, "status"), node.text("code"), node.text("to"), node)


def _requirement(node: MapNode) -> Requirement:
    return Requirement(
        id=_text(node, "id"),
        level=_text(node, "level"),
        authority=_text(node, "authority"),
        text=_text(node, "text"),
        rationale=_text(node, "rationale"),
        operation=texts_of(node.get("operation")),
        capability=node.text("capability"),
        probe=texts_of(node.get("probe")),
        control=texts_of(node.get("control")),
        testable_on=texts_of(node.get("testable_on")),
        check=node.text("check"),
        source=_text(node, "source"),
        notes=_optional_text(node, "notes"),
        node=node,
    )


def _map(node: Node) -> MapNode:
    if not isinstance(node, MapNode):
        raise TypeError(
            f"{node.position}: a mapping was expected; check the document against its schema first"
        )
    return node


def _value(node: MapNode, key: str) -> object:
    value = node.get(key)
    return value.value if isinstance(value, ScalarNode) else None


def _text(node: MapNode, key: str) -> str:
    value = _value(node, key)
    if not isinstance(value, str):
        raise TypeError(
            f"{node.at(key)}: `{key}` must be a string; check the document against its schema first"
        )
    return value.strip()


def _optional_text(node: MapNode, key: str) -> str | None:
    return _text(node, key) if key in node.entries else None


def _integer(node: MapNode, key: str) -> int:
    value = _value(node, key)
    if not isinstance(value, int):
        raise TypeError(
            f"{node.at(key)}: `{key}` must be an integer; check the document against its schema first"
        )
    return value


def _flag(node: MapNode, key: str) -> bool:
    return _value(node, key) is True
