"""Where the schemas of an OpenAPI document stand, and which of them describe answers."""

from __future__ import annotations

from collections.abc import Iterator

from sandkit_codegen.load import MapNode, Node, OpenApi, children, reference_of

_MAPS_OF_SCHEMAS = ("properties", "patternProperties", "$defs", "dependentSchemas")
_LISTS_OF_SCHEMAS = ("allOf", "anyOf", "oneOf", "prefixItems")
_SCHEMAS = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames")
# Below these keys everything is data of the caller, however much it looks like a schema.
_DATA = ("example", "examples", "default", "const", "enum", "value")


def schemas(api: OpenApi) -> Iterator[MapNode]:
    """Every schema of the document once, in document order; references are given but not followed."""
    for root in _roots(api.root, ()):
        yield from _below(root)


def _roots(node: Node, path: tuple[str, ...]) -> Iterator[MapNode]:
    for key, child in children(node):
        here = (*path, key)
        named = path == ("components", "schemas")
        if isinstance(child, MapNode) and (named or key == "schema"):
            yield child
        elif key not in _DATA:
            yield from _roots(child, here)


def _below(schema: MapNode) -> Iterator[MapNode]:
    yield schema
    for child in subschemas(schema):
        yield from _below(child)


def subschemas(schema: MapNode) -> Iterator[MapNode]:
    """The schemas directly inside a schema, in document order."""
    for key, value in schema.entries.items():
        if key in _MAPS_OF_SCHEMAS or key in _LISTS_OF_SCHEMAS:
            yield from (child for _, child in children(value) if isinstance(child, MapNode))
        elif key in _SCHEMAS and isinstance(value, MapNode):
            yield value


def response_schemas(api: OpenApi) -> Iterator[MapNode]:
    """Every schema that can be reached from a response body, references followed, each once."""
    pending = [
        schema
        for operation in api.operations
        for response in api.responses(operation).values()
        for media_type in media_types(api, response)
        if (schema := media_type.map("schema")) is not None
    ]
    seen: set[int] = set()
    while pending:
        schema = pending.pop()
        if id(schema) in seen:
            continue
        seen.add(id(schema))
        if reference_of(schema) is not None:
            target = api.resolve(schema)
            pending.extend([target] if isinstance(target, MapNode) else [])
            continue
        yield schema
        pending.extend(subschemas(schema))


def media_types(api: OpenApi, owner: MapNode) -> Iterator[MapNode]:
    """The media type objects of a request body or response."""
    content = owner.map("content")
    for node in content.entries.values() if content else ():
        resolved = api.resolve(node)
        if isinstance(resolved, MapNode):
            yield resolved
