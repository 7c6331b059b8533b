"""What servers promise, as generated data: requirements, states, errors and the wire."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any, Literal

from attrs import field, frozen

from sandkit_conformance.failures import SuiteError

Level = Literal["MUST", "SHOULD", "MAY"]
Authority = Literal["spec", "proposed", "gap"]


@frozen
class Requirement:
    """One numbered promise of the catalogue."""

    id: str
    level: Level
    authority: Authority
    text: str
    area: str
    operations: tuple[str, ...] = ()
    capability: str | None = None
    probe: tuple[str, ...] = ()
    control: tuple[str, ...] = ()
    source: str = ""
    rationale: str = ""
    notes: str = ""
    testable_on: tuple[str, ...] = ("memory",)
    checked_elsewhere: str | None = None
    # Of the promise itself, without rationale and notes; another digest asks for another look at the checks.
    digest: str = ""


@frozen
class Cell:
    """One cell of the operation x state table: what the operation answers in that state."""

    status: int
    code: str | None = None
    to: str | None = None


@frozen
class StateMachine:
    """The states of one kind of resource, the transitions between them and what operations do in each."""

    kind: str
    states: tuple[str, ...]
    initial: tuple[str, ...]
    terminal: tuple[str, ...]
    transitional: frozenset[str]
    transitions: tuple[tuple[str, str], ...]
    operations: Mapping[str, Mapping[str, Cell]] = field(factory=dict)


@frozen
class ErrorDescriptor:
    """One error code: its status, and whether a retry can help (never, backoff, retry-after)."""

    status: int
    retryable: str


@frozen
class Catalogue:
    """Everything the suite knows about the contract. Built from the files generated out of the specs."""

    requirements: Mapping[str, Requirement]
    area_titles: Mapping[str, str]
    machines: Mapping[str, StateMachine]
    openapi: Mapping[str, Any]
    errors: Mapping[str, ErrorDescriptor]
    digest: str
    operation_ids: frozenset[str] = field(init=False)

    @operation_ids.default
    def _operation_ids(self) -> frozenset[str]:
        return frozenset(
            operation["operationId"]
            for path in self.openapi.get("paths", {}).values()
            for operation in path.values()
            if isinstance(operation, Mapping) and "operationId" in operation
        )

    def cell(self, reference: str) -> Cell | None:
        """Look up `operation/State`; None when there is no such cell."""
        operation, _, state = reference.partition("/")
        for machine in self.machines.values():
            found = machine.operations.get(operation, {}).get(state)
            if found:
                return found
        return None

    def area(self, name: str) -> Iterator[Requirement]:
        """The requirements of one area, in catalogue order."""
        return (requirement for requirement in self.requirements.values() if requirement.area == name)


def parse_catalogue(areas: list[Any], states: Any, errors: Any, openapi: Any) -> Catalogue:
    """Build a catalogue from the data of its four source files."""
    requirements = {
        entry["id"]: _requirement(entry, area["area"])
        for area in areas
        for entry in area.get("requirements", [])
    }
    everything = json.dumps([areas, states, errors, openapi], sort_keys=True, ensure_ascii=False)
    return Catalogue(
        requirements=requirements,
        area_titles={area["area"]: area["title"] for area in areas},
        machines={kind: _machine(kind, states[kind]) for kind in ("sandbox", "snapshot") if kind in states},
        openapi=openapi,
        errors={
            entry["code"]: ErrorDescriptor(entry["status"], entry.get("retryable", "never"))
            for entry in errors["errors"]
        },
        digest=hashlib.sha256(everything.encode()).hexdigest(),
    )


def _requirement(entry: Mapping[str, Any], area: str) -> Requirement:
    return Requirement(
        id=entry["id"],
        level=entry["level"],
        authority=entry["authority"],
        text=" ".join(entry["text"].split()),
        area=area,
        operations=tuple(entry.get("operation", ())),
        capability=entry.get("capability"),
        probe=tuple(entry.get("probe", ())),
        control=tuple(entry.get("control", ())),
        source=entry.get("source", ""),
        rationale=" ".join(entry.get("rationale", "").split()),
        notes=" ".join(entry.get("notes", "").split()),
        testable_on=tuple(entry.get("testable_on", ("memory",))),
        checked_elsewhere=entry.get("check"),
        digest=entry.get("digest", ""),
    )


def _machine(kind: str, data: Mapping[str, Any]) -> StateMachine:
    return StateMachine(
        kind=kind,
        states=tuple(state["name"] for state in data["states"]),
        initial=tuple(data["initial"]),
        terminal=tuple(state["name"] for state in data["states"] if state["terminal"]),
        transitional=frozenset(state["name"] for state in data["states"] if state["transitional"]),
        transitions=tuple((edge["from"], edge["to"]) for edge in data["transitions"]),
        operations={
            operation: {
                state: Cell(status=cell["status"], code=cell.get("code"), to=cell.get("to"))
                for state, cell in row.items()
            }
            for operation, row in data["operations"].items()
        },
    )


@functools.cache
def load_catalogue() -> Catalogue:
    """The catalogue this distribution was built with.

    Raises:
        SuiteError: the generated files are not there (a checkout where `make generate` never ran).
    """
    folder = resources.files("sandkit_conformance") / "_generated"
    try:
        data = {
            name: json.loads((folder / f"{name}.json").read_text("utf-8"))
            for name in ("catalogue", "states", "errors", "openapi")
        }
    except FileNotFoundError as error:
        raise SuiteError(f"generated file {error.filename} is missing; run `make generate`") from error
    return parse_catalogue(data["catalogue"]["areas"], data["states"], data["errors"], data["openapi"])
