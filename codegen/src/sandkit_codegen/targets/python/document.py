"""The OpenAPI document in the form openapi-python-client reads without loss.

Closed sets become plain strings (a client must survive a value it does not know), defaults are the server's
to fill in, answers outside 2xx are left to the error envelope, and what our templates need beyond the schema
travels in `x-sandkit-view`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sandkit_codegen.load import (
    Finding,
    MapNode,
    Node,
    OpenApi,
    PlainValue,
    SpecError,
    plain,
    reference_of,
    texts_of,
)
from sandkit_codegen.naming import snake_case
from sandkit_codegen.rendering import docstring
from sandkit_codegen.wire import Api, ApiOperation, Parameter, description_of

MODULE_PREFIX = "operation_"
"""Keeps the generator from renaming operations that are called like a builtin."""
_RESERVED = frozenset({"additional_properties", "decode", "from_dict", "to_dict"})
_SCHEMAS = "#/components/schemas/"
_PARTS = ("allOf", "anyOf", "oneOf", "prefixItems")


def client_document(api: OpenApi, typed: Api) -> dict[str, Any]:
    """The document for the generator. Raises SpecError for a property name the models need themselves."""
    findings = list(_reserved_names(api))
    if findings:
        raise SpecError(findings)
    sent = _reachable(api, [operation.body.schema for operation in typed.operations if operation.body])
    received = _reachable(api, [name for operation in typed.operations for name in _answers(operation)])
    schemas: dict[str, Any] = {}
    for name, node in api.components("schemas").items():
        mode = "answer" if name not in sent else "both" if name in received else "request"
        schemas[name] = {**_schema(node), "x-sandkit-view": _view(api, node, mode)}
    paths: dict[str, Any] = {}
    for operation in typed.operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "client", "version": typed.version},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _answers(operation: ApiOperation) -> Iterator[str]:
    yield from (answer.schema for answer in operation.answers if answer.schema)


def _operation(operation: ApiOperation) -> dict[str, Any]:
    answer = operation.success
    schema = {"$ref": f"{_SCHEMAS}{answer.schema}"} if answer.schema else {"type": "string"}
    content = {} if answer.media_type is None else {"content": {answer.media_type: {"schema": schema}}}
    made: dict[str, Any] = {
        "operationId": f"{MODULE_PREFIX}{operation.function}",
        "tags": ["operations"],
        "summary": f"{operation.summary.rstrip('.')}.",
        "description": f"{operation.function} {operation.operation_id}",
        "parameters": [_parameter(parameter) for parameter in operation.parameters],
        "responses": {str(answer.status): {"description": answer.description, **content}},
    }
    if operation.body is not None:
        body = {"schema": {"$ref": f"{_SCHEMAS}{operation.body.schema}"}}
        made["requestBody"] = {
            "required": operation.body.required,
            "content": {operation.body.media_types[0]: body},
        }
    return made


def _parameter(parameter: Parameter) -> dict[str, Any]:
    scalar = {"type": parameter.scalar.kind}
    schema = {"type": "array", "items": scalar} if parameter.repeated else scalar
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.required,
        "schema": schema,
    }


def _schema(node: Node) -> Any:
    if not isinstance(node, MapNode):
        return plain(node)
    made: dict[str, Any] = {}
    for key, value in node.entries.items():
        if key == "properties" and isinstance(value, MapNode):
            made[key] = {name: _schema(inner) for name, inner in value.entries.items()}
        elif key in ("items", "additionalProperties"):
            made[key] = _schema(value)
        elif key in _PARTS:
            made[key] = [_schema(inner) for inner in node.items_of(key)]
        elif key == "format" and node.text(key) not in ("date-time", "date", "uuid"):
            continue
        elif key in ("type", "required", "$ref", "format"):
            made[key] = plain(value)
    if "type" not in made and ("enum" in node.entries or "const" in node.entries):
        made["type"] = "string"
    return made


def _view(api: OpenApi, node: Node, mode: str) -> dict[str, Any]:
    """How the templates show a model: in which direction it travels, its texts, its secrets."""
    properties = dict(_properties(api, node))
    description = node.text("description") if isinstance(node, MapNode) else None
    return {
        "mode": mode,
        "documentation": docstring(description or _purpose(mode)),
        "fields": {name: _field_text(api, inner) for name, inner in properties.items()},
        "secrets": [name for name, inner in properties.items() if "x-sandkit-secret" in inner.entries],
    }


def _purpose(mode: str) -> str:
    return {"request": "Part of a request.", "answer": "Part of an answer."}.get(
        mode, "Part of requests and answers."
    )


def _field_text(api: OpenApi, node: MapNode) -> str:
    parts = [description_of(api, node)]
    default = node.get("default")
    if default is not None:
        parts.append(f"The server's default is `{_shown(plain(default))}`.")
    known = texts_of(node.get("x-known-values")) or texts_of(node.get("enum"))
    if known:
        parts.append(f"Known values: {', '.join(known)}.")
    text = " ".join(part for part in parts if part)
    return docstring(text) if text else ""


def _shown(value: PlainValue) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _properties(api: OpenApi, node: Node) -> Iterator[tuple[str, MapNode]]:
    """The properties of a schema and of the parts it is composed of."""
    resolved = api.resolve(node)
    if not isinstance(resolved, MapNode):
        return
    for part in resolved.items_of("allOf"):
        yield from _properties(api, part)
    properties = resolved.map("properties")
    for name, inner in properties.entries.items() if properties else ():
        if isinstance(inner, MapNode):
            yield name, inner


def _reserved_names(api: OpenApi) -> Iterator[Finding]:
    for node in api.components("schemas").values():
        properties = node.map("properties") if isinstance(node, MapNode) else None
        for name, position in properties.keys.items() if properties else ():
            if snake_case(name) in _RESERVED:
                what = f"The property {name!r} has the name of a method of the Python models."
                yield Finding(position, "property-name", what, "Choose another name.")


def _reachable(api: OpenApi, names: list[str]) -> set[str]:
    """The schemas these lead to, and themselves."""
    schemas: Mapping[str, Node] = api.components("schemas")
    found: set[str] = set()
    waiting = [name for name in names if name in schemas]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(reference for reference in _references(schemas[name]) if reference in schemas)
    return found


def _references(node: Node) -> Iterator[str]:
    """The schemas a schema refers to by name; examples and other values are not looked into."""
    if not isinstance(node, MapNode):
        return
    reference = reference_of(node)
    if reference is not None:
        yield reference.removeprefix(_SCHEMAS)
    for key, value in node.entries.items():
        if key == "properties" and isinstance(value, MapNode):
            for inner in value.entries.values():
                yield from _references(inner)
        elif key in ("items", "additionalProperties"):
            yield from _references(value)
        elif key in _PARTS:
            for inner in node.items_of(key):
                yield from _references(inner)
