"""What the targets render: the loaded specs, with the wire contract in typed form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sandkit_codegen.load import ErrorDefinition, OpenApi, RequirementArea, SpecSet, StateMachine
from sandkit_codegen.wire import Api, build_api


@dataclass(frozen=True, slots=True)
class Source:
    """The specs in the form the targets take; the requirements area by area."""

    openapi: OpenApi
    api: Api
    states: Mapping[str, StateMachine]
    errors: tuple[ErrorDefinition, ...]
    areas: tuple[RequirementArea, ...]


def read_source(specs: SpecSet) -> Source:
    """The specs for the targets. Raises SpecError for an operation that cannot be generated."""
    return Source(specs.openapi, build_api(specs.openapi), specs.states, specs.errors, specs.areas)
