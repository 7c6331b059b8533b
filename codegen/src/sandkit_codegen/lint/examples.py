"""Rules about examples: every body has one, and every one is right."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import cast

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012, Schema, SchemaRegistry

from sandkit_codegen.lint.rule import Defect, rule
from sandkit_codegen.lint.schema_places import media_types, schemas
from sandkit_codegen.load import (
    ListNode,
    MapNode,
    Node,
    OpenApi,
    PlainValue,
    SpecSet,
    plain,
    structure_findings,
)

_DOCUMENT = "urn:sandkit:lifecycle"
_COMBINATIONS = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else")
_FORMATS = FormatChecker(formats=())


@_FORMATS.checks("date-time", raises=ValueError)
def _is_instant(value: object) -> bool:
    """RFC 3339 wants a date, a time and an offset."""
    return not isinstance(value, str) or ("T" in value and datetime.fromisoformat(value).tzinfo is not None)


@rule("example-present")
def example_present(specs: SpecSet) -> Iterator[Defect]:
    """Every request and response body has an example."""
    for owner, media_type in _bodies(specs.openapi):
        if not any(True for _ in _values(specs.openapi, media_type)):
            remedy = "Add `examples` with at least one; documentation and tests are made from them."
            yield Defect(media_type.position, f"The body of {owner} has no example.", remedy)


@rule("example-valid")
def example_valid(specs: SpecSet) -> Iterator[Defect]:
    """Examples and defaults match their schemas."""
    registry = _registry(specs.openapi)
    for _, media_type in _bodies(specs.openapi):
        schema = media_type.get("schema")
        for value in _values(specs.openapi, media_type) if schema else ():
            yield from _departures(value, schema, registry)
    for operation in specs.openapi.operations:
        for parameter in specs.openapi.parameters(operation):
            schema = parameter.get("schema")
            for value in _values(specs.openapi, parameter) if schema else ():
                yield from _departures(value, schema, registry)
    for schema in schemas(specs.openapi):
        default = schema.get("default")
        values = [*schema.items_of("examples"), *([] if default is None else [default])]
        for value in values:
            yield from _departures(value, schema, registry)


def _departures(value: Node, schema: Node | None, registry: SchemaRegistry) -> Iterator[Defect]:
    if schema is None:
        return
    wanted = cast("Schema", _strict(plain(schema)))
    absolute = cast("Schema", _with_absolute_references(cast("PlainValue", wanted)))
    validator = Draft202012Validator(absolute, registry=registry, format_checker=_FORMATS)
    for finding in structure_findings(value, validator):
        what = f"The example does not match its schema: {finding.what}"
        yield Defect(finding.position, what, finding.remedy)


def _bodies(api: OpenApi) -> Iterator[tuple[str, MapNode]]:
    """Every media type of a request or response body once, with the name of what it belongs to."""
    seen: set[int] = set()
    for operation in api.operations:
        request = api.request_body(operation)
        owners = {} if request is None else {f"the request of {operation.operation_id}": request}
        for status, response in api.responses(operation).items():
            owners[f"the answer {status} of {operation.operation_id}"] = response
        for name, owner in owners.items():
            for media_type in media_types(api, owner):
                if id(media_type) not in seen:
                    seen.add(id(media_type))
                    yield name, media_type


def _values(api: OpenApi, owner: MapNode) -> Iterator[Node]:
    """The example values of a media type or parameter, references resolved."""
    single = owner.get("example")
    if single is not None:
        yield single
    named = owner.map("examples")
    for node in named.entries.values() if named else ():
        example = api.resolve(node)
        value = example.get("value") if isinstance(example, MapNode) else None
        if value is not None:
            yield value


def _registry(api: OpenApi) -> SchemaRegistry:
    contents = cast("Schema", _strict(cast("PlainValue", api.bundled())))
    resources: list[tuple[str, Resource[Schema]]] = [(_DOCUMENT, DRAFT202012.create_resource(contents))]
    return Registry().with_resources(resources)


def _strict(value: PlainValue, combined: bool = False) -> PlainValue:
    """The schemas with every object closed, so that a misspelt field of an example is found.

    Members of combinations stay open, since each of them knows only a part of the fields.
    """
    if isinstance(value, list):
        return [_strict(item, combined) for item in value]
    if not isinstance(value, dict):
        return value
    closed = {key: _strict(item, combined or key in _COMBINATIONS) for key, item in value.items()}
    is_object = isinstance(value.get("properties"), dict) and value.get("type") == "object"
    if is_object and not combined and not any(key in value for key in _COMBINATIONS):
        closed.setdefault("additionalProperties", False)
    return closed


def _with_absolute_references(value: PlainValue) -> PlainValue:
    if isinstance(value, list):
        return [_with_absolute_references(item) for item in value]
    if not isinstance(value, dict):
        return value
    result = {key: _with_absolute_references(item) for key, item in value.items()}
    reference = result.get("$ref")
    if isinstance(reference, str) and reference.startswith("#"):
        result["$ref"] = _DOCUMENT + reference
    return result


@rule("example-shape")
def example_shape(specs: SpecSet) -> Iterator[Defect]:
    """Examples of bodies have names.

    OpenAPI 3.0 and 3.1 alike want a map of named examples beside a schema.
    """
    for name, media_type in _bodies(specs.openapi):
        if isinstance(media_type.get("examples"), ListNode):
            remedy = "Give each example a name, with its content under `value`."
            yield Defect(media_type.at("examples"), f"The examples of {name} are a list.", remedy)


RULES = (
    example_present,
    example_shape,
    example_valid,
)
