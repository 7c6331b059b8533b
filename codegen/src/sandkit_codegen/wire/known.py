"""Open sets: strings whose known values the spec lists in `x-known-values`."""

from __future__ import annotations

from collections.abc import Iterator

from sandkit_codegen.load import MapNode, OpenApi, texts_of
from sandkit_codegen.naming import constant_case, snake_case
from sandkit_codegen.wire.model import ApiOperation, KnownValues

_KEYWORD = "x-known-values"


def known_values(api: OpenApi, operations: tuple[ApiOperation, ...]) -> Iterator[KnownValues]:
    """The open sets of all schemas and then of all parameters, each where it first stands."""
    for schema_name, schema in api.components("schemas").items():
        properties = schema.map("properties") if isinstance(schema, MapNode) else None
        for name, node in properties.entries.items() if properties else ():
            values = texts_of(node.get(_KEYWORD)) if isinstance(node, MapNode) else ()
            if values:
                yield KnownValues(_constant(schema_name, name), f"{schema_name}.{name}", values)
    for operation in operations:
        for parameter in operation.parameters:
            if parameter.scalar.known_values:
                place = f"{operation.operation_id} {parameter.pointer}"
                constant = _constant(operation.operation_id, parameter.name)
                yield KnownValues(constant, place, parameter.scalar.known_values)


def _constant(*parts: str) -> str:
    return constant_case("_".join(snake_case(part) for part in parts))
