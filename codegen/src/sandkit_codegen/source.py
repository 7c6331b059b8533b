"""What the targets render: the loaded specs, with the wire contract in typed form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sandkit_codegen.load import ErrorDefinition, OpenApi, SpecSet, StateMachine
from sandkit_codegen.wire import Api, build_api


@dataclass(frozen=True, slots=True)
class Source:
    """The specs in the form the targets take."""

    specs: SpecSet
    api: Api

    @property
    def openapi(self) -> OpenApi:
        """The OpenAPI document."""
        return self.specs.openapi

    @property
    def states(self) -> Mapping[str, StateMachine]:
        """The state machines by resource."""
        return self.specs.states

    @property
    def errors(self) -> tuple[ErrorDefinition, ...]:
        """The error codes in document order."""
        return self.specs.errors


def read_source(specs: SpecSet) -> Source:
    """The specs for the targets. Raises SpecError for an operation that cannot be generated."""
    return Source(specs, build_api(specs.openapi))
