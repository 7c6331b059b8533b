"""Rules about the schemas of custom resource definitions: structural, as the API server demands.

Source: Kubernetes documentation, "Extend the Kubernetes API with CustomResourceDefinitions": structural
schemas and validation rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from sandkit_codegen.lint.resource_names import schema_root, versions
from sandkit_codegen.lint.rule import Defect, listed, rule
from sandkit_codegen.load import ListNode, MapNode, Node, ScalarNode, SpecSet, children, follow, texts_of

_FORBIDDEN = (
    "$ref",
    "definitions",
    "dependencies",
    "deprecated",
    "discriminator",
    "id",
    "patternProperties",
    "readOnly",
    "writeOnly",
    "xml",
)
_VALUE_ONLY = ("type", "description", "default", "additionalProperties", "nullable")
_KEEPING = frozenset({"properties", "additionalProperties", "x-kubernetes-preserve-unknown-fields"})
_JUNCTORS = ("allOf", "anyOf", "oneOf")
_REASONS = ("FieldValueInvalid", "FieldValueForbidden", "FieldValueRequired", "FieldValueDuplicate")
_SELF_FIELD = re.compile(r"\b(?:self|oldSelf)((?:\.[a-z]\w*(?!\w*\())+)")
_TEXT = re.compile(r"'(?:[^'\\]|\\.)*'")


def _schema_roots(specs: SpecSet) -> Iterator[MapNode]:
    for document in specs.crds:
        for version in versions(document):
            root = schema_root(version)
            if root is not None:
                yield root


class _Value(NamedTuple):
    """A schema that describes a value: the property itself, or the items or entries of property `name`."""

    name: str
    schema: MapNode
    is_property: bool


def _values(specs: SpecSet) -> Iterator[_Value]:
    for root in _schema_roots(specs):
        yield from _below(_Value("", root, is_property=False))


def _below(value: _Value) -> Iterator[_Value]:
    yield value
    properties = value.schema.map("properties")
    for name, node in properties.entries.items() if properties else ():
        if isinstance(node, MapNode):
            yield from _below(_Value(name, node, is_property=True))
    for keyword in ("items", "additionalProperties"):
        inside = value.schema.map(keyword)
        if inside is not None:
            yield from _below(_Value(value.name, inside, is_property=False))


@rule("crd-structural")
def crd_structural(specs: SpecSet) -> Iterator[Defect]:
    """Schemas of definitions are structural."""
    for name, node, _ in _values(specs):
        yield from _typed(name, node)
        yield from _allowed(node)
        for keyword in _JUNCTORS:
            for member in node.items_of(keyword):
                yield from _junctor(keyword, member)
    for root in _schema_roots(specs):
        metadata = follow(root, ("properties", "metadata", "properties"))
        for key, child in children(metadata) if metadata else ():
            if key not in {"name", "generateName"}:
                what = f"metadata.{key} is restricted."
                yield Defect(child.position, what, "Remove it; only names may be.")


def _typed(name: str, node: MapNode) -> Iterator[Defect]:
    kind = node.text("type")
    free = "x-kubernetes-int-or-string" in node.entries or (
        "x-kubernetes-preserve-unknown-fields" in node.entries and kind is None
    )
    if kind is None and not free:
        yield Defect(node.position, f"{_named(name)} has no type.", "Add `type`.")
    if kind == "array" and node.map("items") is None:
        yield Defect(
            node.position, f"{_named(name)} does not describe its items.", "Add a schema as `items`."
        )
    if kind == "object" and name != "metadata" and not _KEEPING & set(node.entries):
        what = f"{_named(name)} keeps nothing: fields that are not described are dropped."
        yield Defect(node.position, what, "Describe its `properties`.")


def _named(name: str) -> str:
    return f"The field {name}" if name else "The schema"


def _allowed(node: MapNode) -> Iterator[Defect]:
    for keyword in _FORBIDDEN:
        if keyword in node.entries:
            yield Defect(node.at(keyword), f"`{keyword}` is not allowed in a definition.", "Remove it.")
    extra = node.get("additionalProperties")
    if extra is not None and "properties" in node.entries:
        what = "`additionalProperties` beside `properties` is not allowed."
        yield Defect(node.at("additionalProperties"), what, "Remove one of the two.")
    if isinstance(extra, ScalarNode) and extra.value is False:
        what = "`additionalProperties: false` is not allowed."
        yield Defect(node.at("additionalProperties"), what, "Remove it; unknown fields are dropped anyway.")
    unique = node.get("uniqueItems")
    if isinstance(unique, ScalarNode) and unique.value is True:
        what = "`uniqueItems: true` is not allowed; its cost is not bounded."
        yield Defect(node.at("uniqueItems"), what, "Use `x-kubernetes-list-type: set`.")


def _junctor(keyword: str, member: Node) -> Iterator[Defect]:
    for key in _VALUE_ONLY:
        if isinstance(member, MapNode) and key in member.entries:
            what = f"`{key}` inside `{keyword}` is not allowed."
            yield Defect(member.at(key), what, "Move it out to the schema of the value.")


@rule("crd-described")
def crd_described(specs: SpecSet) -> Iterator[Defect]:
    """Every field of a definition is described."""
    for name, node, is_property in _values(specs):
        if is_property and name != "metadata" and "description" not in node.entries:
            remedy = "Add it; `kubectl explain` prints it."
            yield Defect(node.position, f"The field {name} has no description.", remedy)


@rule("crd-lists")
def crd_lists(specs: SpecSet) -> Iterator[Defect]:
    """Lists say how they are merged; conditions are a map by type."""
    for name, node, _ in _values(specs):
        if node.text("type") != "array":
            continue
        kind = node.text("x-kubernetes-list-type")
        by_type = kind == "map" and texts_of(node.get("x-kubernetes-list-map-keys")) == ("type",)
        if name == "conditions" and not by_type:
            remedy = "Set `x-kubernetes-list-type: map` and `x-kubernetes-list-map-keys: [type]`."
            yield Defect(node.position, "Conditions are not a map by type.", remedy)
        elif kind is None:
            remedy = "Set `x-kubernetes-list-type` to atomic, set or map; server-side apply needs it."
            yield Defect(node.position, f"The list {name} does not say how it is merged.", remedy)
        elif kind == "map":
            yield from _map_keys(name, node)


def _map_keys(name: str, node: MapNode) -> Iterator[Defect]:
    keys = node.get("x-kubernetes-list-map-keys")
    items = node.map("items")
    if not isinstance(keys, ListNode) or not keys.items:
        remedy = "Add `x-kubernetes-list-map-keys`."
        yield Defect(node.at("x-kubernetes-list-type"), f"The map {name} has no keys.", remedy)
        return
    required = texts_of(items.get("required")) if items else ()
    properties = items.map("properties") if items else None
    for key in keys.items:
        field = properties.map(str(getattr(key, "value", ""))) if properties else None
        if field is None or (getattr(key, "value", None) not in required and "default" not in field.entries):
            what = f"The key {getattr(key, 'value', None)} of {name} is not a required field of its items."
            yield Defect(key.position, what, "Require it, or give it a default.")


@rule("crd-rules")
def crd_rules(specs: SpecSet) -> Iterator[Defect]:
    """Validation rules are complete and about declared fields."""
    for _, node, _ in _values(specs):
        for item in node.items_of("x-kubernetes-validations"):
            if isinstance(item, MapNode):
                yield from _validation(item, node)


def _validation(item: MapNode, owner: MapNode) -> Iterator[Defect]:
    rule = item.text("rule")
    if not rule:
        yield Defect(item.position, "A validation without a rule.", "Add `rule`, a CEL expression.")
        return
    place = item.entries["rule"].position
    if not (item.text("message") or item.text("messageExpression")):
        remedy = "Add `message`, saying what is wanted."
        yield Defect(place, "A validation without a message prints its expression.", remedy)
    reason = item.text("reason")
    if reason is not None and reason not in _REASONS:
        yield Defect(
            item.at("reason"), f"The reason {reason} does not exist.", f"Use one of: {listed(_REASONS)}."
        )
    code = _TEXT.sub("''", rule)
    if any(code.count(opening) != code.count(closing) for opening, closing in ("()", "[]", "{}")):
        yield Defect(place, "The brackets of the rule do not match.", "Close each one.")
    for path in _SELF_FIELD.findall(code):
        if not _leads(owner, path):
            yield Defect(
                place, f"The rule uses self{path}, which is not declared.", "Declare it, or correct the rule."
            )
    field = item.text("fieldPath")
    if field is not None and not _leads(owner, field):
        yield Defect(item.at("fieldPath"), f"The schema has no field {field}.", "Correct the path.")


def _leads(owner: MapNode, path: str) -> bool:
    node: Node | None = owner
    for step in path.removeprefix(".").split("."):
        if isinstance(node, MapNode) and "x-kubernetes-preserve-unknown-fields" in node.entries:
            return True
        node = follow(node, ("properties", step)) if node is not None else None
    return node is not None


RULES = (
    crd_structural,
    crd_described,
    crd_lists,
    crd_rules,
)
