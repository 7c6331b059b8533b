"""Rules about the form of schemas: 3.1 only, and what the generators of five languages can take."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sandkit_codegen.lint.rule import Defect, rule
from sandkit_codegen.lint.schema_places import response_schemas, schemas
from sandkit_codegen.load import ListNode, MapNode, Node, ScalarNode, SpecSet, texts_of

_SECRET = re.compile(r"password|secret|token|accessKeyId", re.IGNORECASE)


def _types(schema: MapNode) -> tuple[str, ...]:
    single = schema.text("type")
    return texts_of(schema.get("type")) if single is None else (single,)


def _is(node: Node | None, value: object) -> bool:
    return isinstance(node, ScalarNode) and node.value is value


@rule("schema-nullable")
def schema_nullable(specs: SpecSet) -> Iterator[Defect]:
    """No `nullable`: null is a type."""
    for schema in schemas(specs.openapi):
        if "nullable" in schema.entries:
            kind = schema.text("type") or "string"
            remedy = f"Write `type: [{kind}, 'null']`."
            yield Defect(schema.at("nullable"), "`nullable` is OpenAPI 3.0; 3.1 ignores it.", remedy)


@rule("schema-null-union")
def schema_null_union(specs: SpecSet) -> Iterator[Defect]:
    """No oneOf or anyOf with null."""
    for schema in schemas(specs.openapi):
        for keyword in ("oneOf", "anyOf"):
            for member in schema.items_of(keyword):
                if isinstance(member, MapNode) and _types(member) == ("null",):
                    what = f"`{keyword}` with null; generators make a class of it."
                    remedy = "Add 'null' to the list of types of the other schema."
                    yield Defect(member.position, what, remedy)


@rule("schema-exclusive-bound")
def schema_exclusive_bound(specs: SpecSet) -> Iterator[Defect]:
    """Exclusive bounds are numbers."""
    for schema in schemas(specs.openapi):
        for keyword, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
            value = schema.get(keyword)
            if isinstance(value, ScalarNode) and isinstance(value.value, bool):
                what = f"`{keyword}: {str(value.value).lower()}` is OpenAPI 3.0."
                remedy = f"Write the number under `{keyword}` and remove `{bound}`."
                yield Defect(schema.at(keyword), what, remedy)


@rule("schema-example")
def schema_example(specs: SpecSet) -> Iterator[Defect]:
    """Schemas have `examples`, not `example`."""
    for schema in schemas(specs.openapi):
        if "example" in schema.entries:
            what = "`example` in a schema is OpenAPI 3.0."
            yield Defect(schema.at("example"), what, "Write `examples` with a list of values.")


@rule("schema-closed-enum")
def schema_closed_enum(specs: SpecSet) -> Iterator[Defect]:
    """Values in answers are open sets."""
    for schema in response_schemas(specs.openapi):
        for keyword in ("enum", "const"):
            if keyword in schema.entries:
                what = f"`{keyword}` in an answer; clients would crash on a new value."
                remedy = "Write `type: string` and list the values under `x-known-values`."
                yield Defect(schema.at(keyword), what, remedy)


@rule("schema-known-values")
def schema_known_values(specs: SpecSet) -> Iterator[Defect]:
    """Known values are distinct strings of a string."""
    for schema in schemas(specs.openapi):
        values = schema.get("x-known-values")
        if values is None:
            continue
        texts = texts_of(values)
        items = values.items if isinstance(values, ListNode) else ()
        if "string" not in _types(schema):
            what = "`x-known-values` on something that is not a string."
            yield Defect(schema.at("x-known-values"), what, "Set `type: string`.")
        if not texts or len(texts) != len(items) or len(set(texts)) != len(texts):
            what = "`x-known-values` is not a list of distinct strings."
            yield Defect(schema.at("x-known-values"), what, "List each value once, quoted where needed.")


@rule("schema-mixed-map")
def schema_mixed_map(specs: SpecSet) -> Iterator[Defect]:
    """A schema is an object or a map, not both."""
    for schema in schemas(specs.openapi):
        extra = schema.get("additionalProperties")
        if "properties" in schema.entries and extra is not None and not _is(extra, False):
            what = "`properties` mixed with `additionalProperties`."
            remedy = "Make it an object or a map; put the map under a property of its own."
            yield Defect(schema.at("additionalProperties"), what, remedy)


@rule("schema-free-map")
def schema_free_map(specs: SpecSet) -> Iterator[Defect]:
    """Maps and objects say what they hold."""
    for schema in schemas(specs.openapi):
        extra = schema.get("additionalProperties")
        if _is(extra, True) or (isinstance(extra, MapNode) and not extra.entries):
            what = "A map of anything; no generator gives it a usable type."
            remedy = "Give the type of its values under `additionalProperties`."
            yield Defect(schema.at("additionalProperties"), what, remedy)
        described = {"properties", "additionalProperties", "allOf", "oneOf", "anyOf"}
        if "object" in _types(schema) and not described & set(schema.entries):
            yield Defect(schema.at("type"), "An object of anything.", "Give its `properties`.")


@rule("schema-discriminator")
def schema_discriminator(specs: SpecSet) -> Iterator[Defect]:
    """Discriminators have a mapping."""
    for schema in schemas(specs.openapi):
        discriminator = schema.map("discriminator")
        if discriminator is not None and not discriminator.map("mapping"):
            remedy = "Add `mapping` with the schema of each value; generators guess differently."
            yield Defect(schema.at("discriminator"), "A discriminator without a mapping.", remedy)


@rule("schema-required")
def schema_required(specs: SpecSet) -> Iterator[Defect]:
    """Required properties are declared."""
    for schema in schemas(specs.openapi):
        properties = schema.map("properties")
        declared = properties.entries if properties else {}
        for node in schema.items_of("required"):
            name = getattr(node, "value", None)
            if name not in declared:
                what = f"The required property {name} is not declared."
                yield Defect(node.position, what, "Declare it under `properties`, or correct its name.")


@rule("schema-secret")
def schema_secret(specs: SpecSet) -> Iterator[Defect]:
    """What is named like a secret is marked as one, so that no log and no representation shows it."""
    for schema in schemas(specs.openapi):
        properties = schema.map("properties")
        for name, node in properties.entries.items() if properties else ():
            if not isinstance(node, MapNode) or "string" not in _types(node) or not _SECRET.search(name):
                continue
            if "x-sandkit-secret" not in node.entries:
                what = f"The property {name} is named like a secret, but not marked as one."
                yield Defect(node.position, what, "Add `x-sandkit-secret: true`, or rename it.")


RULES = (
    schema_nullable,
    schema_null_union,
    schema_exclusive_bound,
    schema_example,
    schema_closed_enum,
    schema_known_values,
    schema_mixed_map,
    schema_free_map,
    schema_discriminator,
    schema_required,
    schema_secret,
)
