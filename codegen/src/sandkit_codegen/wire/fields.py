"""Which error code a violation of one field gets: `x-sandkit-error` by place in the request."""

from __future__ import annotations

from collections.abc import Iterator

from sandkit_codegen.load import MapNode, Node, OpenApi, Operation, reference_of

_KEYWORD = "x-sandkit-error"


def field_codes(api: OpenApi, operation: Operation) -> Iterator[tuple[str, str]]:
    """Pairs of pointer pattern and code, parameters first, then the body in document order.

    A pattern is a JSON Pointer (RFC 6901) in which `*` stands for any array index or map key, or
    `path:NAME`, `query:NAME`, `header:NAME`.
    """
    for parameter in api.parameters(operation):
        code = parameter.text(_KEYWORD)
        if code is not None:
            yield f"{parameter.text('in')}:{parameter.text('name')}", code
    body = api.request_body(operation)
    content = body.map("content") if body else None
    if content is None:
        return
    seen: set[tuple[str, str]] = set()
    for media in content.entries.values():
        schema = media.get("schema") if isinstance(media, MapNode) else None
        for pair in _walk(api, schema, "", ()) if schema is not None else ():
            if pair not in seen:
                seen.add(pair)
                yield pair


def _walk(api: OpenApi, node: Node, pointer: str, trail: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    reference = reference_of(node)
    if reference is not None:
        if reference in trail:
            return
        trail = (*trail, reference)
    schema = api.resolve(node)
    if not isinstance(schema, MapNode):
        return
    code = schema.text(_KEYWORD)
    if code is not None:
        yield pointer, code
    properties = schema.map("properties")
    for name, child in properties.entries.items() if properties else ():
        yield from _walk(api, child, f"{pointer}/{_escaped(name)}", trail)
    for keyword in ("items", "additionalProperties"):
        inner = schema.get(keyword)
        if isinstance(inner, MapNode):
            yield from _walk(api, inner, f"{pointer}/*", trail)
    for keyword in ("allOf", "anyOf", "oneOf"):
        for part in schema.items_of(keyword):
            yield from _walk(api, part, pointer, trail)


def _escaped(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")
