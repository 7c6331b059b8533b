"""Everything under specs/ as one value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from sandkit_codegen.load.document import Document, read_document
from sandkit_codegen.load.finding import Finding, Position, SpecError
from sandkit_codegen.load.openapi import OpenApi, check_references
from sandkit_codegen.load.structure import check_structure, schema_of
from sandkit_codegen.load.tables import (
    ErrorDefinition,
    Requirement,
    RequirementArea,
    StateMachine,
    build_errors,
    build_requirement_area,
    build_state_machines,
)

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class SpecSet:
    """The specs, read and structurally sound: they parse, match their schemas, and no reference dangles.

    Whether they also agree with each other is for `sandkit_codegen.lint` to say.
    """

    root: Path
    openapi: OpenApi
    states_document: Document
    states: Mapping[str, StateMachine]
    errors_document: Document
    errors: tuple[ErrorDefinition, ...]
    areas: tuple[RequirementArea, ...]
    crds: tuple[Document, ...]

    @property
    def requirements(self) -> tuple[Requirement, ...]:
        """Every requirement, area by area in the order of file names."""
        return tuple(requirement for area in self.areas for requirement in area.requirements)


@dataclass(slots=True)
class _Reader:
    """Collects what the readers raise, so that one run reports every broken file."""

    root: Path
    findings: list[Finding] = field(default_factory=list)

    def attempt(self, read: Callable[[Path], _T], path: Path) -> _T | None:
        try:
            return read(path)
        except SpecError as error:
            self.findings.extend(error.findings)
            return None

    def folder(self, name: str, read: Callable[[Path], _T]) -> tuple[_T, ...]:
        files = sorted((self.root / name).glob("*.yaml"), key=lambda path: path.name)
        if not files:
            place = Position((self.root / name).as_posix(), 1, 1)
            self.findings.append(
                Finding(place, "file-missing", "The folder holds no YAML file.", "Add at least one.")
            )
        results = [self.attempt(read, path) for path in files]
        return tuple(result for result in results if result is not None)

    def openapi(self, path: Path) -> OpenApi:
        api = OpenApi(self.checked("lifecycle")(path))
        broken = check_references(api)
        if broken:
            raise SpecError(broken)
        return api

    def checked(self, schema: str) -> Callable[[Path], Document]:
        """A reader that also holds the document against one of our schemas."""

        def read(path: Path) -> Document:
            document = read_document(path)
            broken = check_structure(document, schema_of(self.root / "schemas" / f"{schema}.schema.json"))
            if broken:
                raise SpecError(broken)
            return document

        return read


def load_spec_set(root: Path) -> SpecSet:
    """Read lifecycle.yaml, states.yaml, errors.yaml, requirements/*.yaml and crds/*.yaml below `root`.

    Positions spell `root` as it was given. The result depends on nothing but the files.
    Raises SpecError with the findings of every file that is missing, malformed, against its schema or with a
    broken reference.
    """
    reader = _Reader(root)
    openapi = reader.attempt(reader.openapi, root / "lifecycle.yaml")
    states = reader.attempt(reader.checked("states"), root / "states.yaml")
    errors = reader.attempt(reader.checked("errors"), root / "errors.yaml")
    areas = reader.folder("requirements", reader.checked("requirements"))
    crds = reader.folder("crds", read_document)
    if reader.findings or openapi is None or states is None or errors is None:
        raise SpecError(reader.findings)
    return SpecSet(
        root=root,
        openapi=openapi,
        states_document=states,
        states=build_state_machines(states),
        errors_document=errors,
        errors=build_errors(errors),
        areas=tuple(build_requirement_area(document) for document in areas),
        crds=crds,
    )
