"""The API as the own templates see it: operations with typed parameters, bodies and answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sandkit_codegen.load import PlainValue

Place = Literal["path", "query", "header"]
ScalarKind = Literal["string", "integer", "number", "boolean"]


@dataclass(frozen=True, slots=True)
class Scalar:
    """A parameter's type, or that of its items. `pattern` is as the spec spells it."""

    kind: ScalarKind
    minimum: int | float | None = None
    maximum: int | float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    known_values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Parameter:
    """One path, query or header parameter; `attribute` is its Python name."""

    name: str
    place: Place
    attribute: str
    required: bool
    scalar: Scalar
    repeated: bool
    default: PlainValue
    description: str
    error_code: str | None

    @property
    def pointer(self) -> str:
        """How error details name it, such as `query:page`."""
        return f"{self.place}:{self.name}"


@dataclass(frozen=True, slots=True)
class Body:
    """A JSON request body: the component schema it holds and the media types it may come as."""

    schema: str
    required: bool
    media_types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """One response; `schema` names a component, `media_type` is None when there is no body."""

    status: int
    description: str
    media_type: str | None
    schema: str | None
    headers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ApiOperation:
    """One operation; `answers` hold every documented status."""

    operation_id: str
    function: str
    method: str
    path: str
    tag: str
    summary: str
    description: str
    authenticated: bool
    parameters: tuple[Parameter, ...]
    body: Body | None
    answers: tuple[Answer, ...]
    error_codes: tuple[str, ...]
    field_codes: tuple[tuple[str, str], ...]

    @property
    def success(self) -> Answer:
        """The one answer in 2xx."""
        return next(answer for answer in self.answers if 200 <= answer.status < 300)

    def at(self, place: Place) -> tuple[Parameter, ...]:
        """The parameters of one place, in the order of the spec."""
        return tuple(parameter for parameter in self.parameters if parameter.place == place)


@dataclass(frozen=True, slots=True)
class KnownValues:
    """The values of an open set known today; `place` tells people where it stands."""

    name: str
    place: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Api:
    """The whole API. `routeless_codes` are given when no operation was reached."""

    title: str
    version: str
    description: str
    tags: Mapping[str, str]
    operations: tuple[ApiOperation, ...]
    routeless_codes: tuple[str, ...]
    known_values: tuple[KnownValues, ...]
