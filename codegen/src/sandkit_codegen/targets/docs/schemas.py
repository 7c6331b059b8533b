"""Schemas for readers: every field with its type in words."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sandkit_codegen.load import MapNode, Node, OpenApi, ScalarNode, plain, reference_of, texts_of
from sandkit_codegen.targets.docs.markdown import in_code
from sandkit_codegen.wire import description_of

_SCHEMAS = "#/components/schemas/"


@dataclass(frozen=True, slots=True)
class FieldView:
    """One field of an object; `kind` is Markdown."""

    name: str
    kind: str
    required: bool
    default: str
    description: str
    secret: bool


@dataclass(frozen=True, slots=True)
class SchemaView:
    """One named schema; one without fields is described by `kind` alone."""

    name: str
    description: str
    kind: str
    fields: tuple[FieldView, ...]


def schema_views(api: OpenApi) -> tuple[SchemaView, ...]:
    """Every named schema in document order."""
    return tuple(
        _schema(api, name, node)
        for name, node in api.components("schemas").items()
        if isinstance(node, MapNode)
    )


def _schema(api: OpenApi, name: str, node: MapNode) -> SchemaView:
    properties = node.map("properties")
    required = texts_of(node.get("required"))
    fields = tuple(
        FieldView(
            name=field,
            kind=kind_of(inner),
            required=field in required,
            default=_default(inner),
            description=description_of(api, inner),
            secret=isinstance(inner, MapNode) and "x-sandkit-secret" in inner.entries,
        )
        for field, inner in (properties.entries.items() if properties else ())
    )
    return SchemaView(name, (node.text("description") or "").strip(), kind_of(node), fields)


def kind_of(node: Node) -> str:
    """A schema in words, such as `string or null, at most 63 characters`."""
    if not isinstance(node, MapNode):
        return "any"
    reference = reference_of(node)
    if reference is not None:
        name = reference.removeprefix(_SCHEMAS)
        return f"[{name}](#schema-{name})"
    parts = " or ".join(_kind(node, name) for name in _types(node)) or _alternatives(node)
    return ", ".join([parts, *_limits(node)])


def _types(node: MapNode) -> tuple[str, ...]:
    single = node.text("type")
    return (single,) if single else texts_of(node.get("type"))


def _kind(node: MapNode, name: str) -> str:
    inner = {"array": node.get("items"), "object": node.get("additionalProperties")}.get(name)
    if name == "array":
        return f"array of {kind_of(inner)}" if inner is not None else "array"
    if name == "object" and isinstance(inner, MapNode):
        return f"map of {kind_of(inner)}"
    form = node.text("format")
    return f"{form} {name}" if form and name == "string" else name


def _alternatives(node: MapNode) -> str:
    options = [*node.items_of("anyOf"), *node.items_of("oneOf")]
    combined = " or ".join(kind_of(option) for option in options)
    return combined or " and ".join(kind_of(part) for part in node.items_of("allOf")) or "any"


def _limits(node: MapNode) -> list[str]:
    words = {
        "minimum": "at least {}",
        "maximum": "at most {}",
        "minLength": "at least {} characters",
        "maxLength": "at most {} characters",
        "minItems": "at least {} items",
        "maxItems": "at most {} items",
    }
    limits = [
        form.format(value) for key, form in words.items() if (value := _number(node.get(key))) is not None
    ]
    limits = [limit.replace("at least 1 characters", "not empty") for limit in limits]
    pattern = node.text("pattern")
    known = texts_of(node.get("x-known-values"))
    if pattern is not None:
        limits.append(f"matching {in_code(pattern)}")
    if known:
        limits.append("known values " + ", ".join(map(in_code, known)))
    return [limit.replace("at least 1 items", "at least 1 item") for limit in limits]


def _number(node: Node | None) -> int | float | None:
    value = node.value if isinstance(node, ScalarNode) else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _default(node: Node) -> str:
    default = node.get("default") if isinstance(node, MapNode) else None
    if default is None:
        return ""
    value = plain(default)
    return in_code(value if isinstance(value, str) else json.dumps(value))
