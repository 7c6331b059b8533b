"""Rules about custom resource definitions: group, version, names, columns and subresources."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from sandkit_codegen.lint.rule import Defect, rule
from sandkit_codegen.load import (
    Document,
    ListNode,
    MapNode,
    Node,
    Position,
    ScalarNode,
    SpecSet,
    follow,
    plain,
)

GROUP = "sandbox.opensandbox.io"
VERSION = "v1alpha1"
_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_EMPTY = "This definition"


def _root(document: Document) -> MapNode:
    root = document.root
    return root if isinstance(root, MapNode) else MapNode(root.position, {}, {})


def versions(document: Document) -> Iterator[MapNode]:
    """The versions of a definition."""
    spec = _root(document).map("spec")
    for node in spec.items_of("versions") if spec else ():
        if isinstance(node, MapNode):
            yield node


def schema_root(version: MapNode) -> MapNode | None:
    """The schema of one version of a definition."""
    schema = version.map("schema")
    return schema.map("openAPIV3Schema") if schema else None


@rule("crd-identity")
def crd_identity(specs: SpecSet) -> Iterator[Defect]:
    """Definitions belong to our group and name themselves consistently."""
    for document in specs.crds:
        root = _root(document)
        spec = root.map("spec") or MapNode(root.position, {}, {})
        names = spec.map("names") or MapNode(spec.position, {}, {})
        metadata = root.map("metadata") or MapNode(root.position, {}, {})
        kind = names.text("kind") or ""
        plural = names.text("plural") or ""
        wanted: list[tuple[MapNode, str, str]] = [
            (root, "apiVersion", "apiextensions.k8s.io/v1"),
            (root, "kind", "CustomResourceDefinition"),
            (spec, "group", GROUP),
            (spec, "scope", "Namespaced"),
            (names, "singular", kind.lower()),
            (names, "listKind", f"{kind}List"),
            (names, "plural", PurePosixPath(document.path).stem),
            (metadata, "name", f"{plural}.{GROUP}"),
        ]
        for owner, key, value in wanted:
            if owner.text(key) != value:
                yield Defect(
                    _value_position(owner, key), f"`{key}` is {owner.text(key)!r}.", f"Write {value}."
                )
        for name in names.items_of("shortNames"):
            text = plain(name)
            if not isinstance(text, str) or not text.isalnum() or text != text.lower():
                yield Defect(name.position, f"The short name {text!r} is not a lower-case word.", "Mend it.")
        if not names.items_of("shortNames"):
            yield Defect(names.at("shortNames"), f"{kind or _EMPTY} has no short name.", "Add `shortNames`.")


def _value_position(owner: MapNode, key: str) -> Position:
    value = owner.get(key)
    return owner.position if value is None else value.position


@rule("crd-versions")
def crd_versions(specs: SpecSet) -> Iterator[Defect]:
    """One stored version, ours served, each with schema and status."""
    for document in specs.crds:
        found = tuple(versions(document))
        position = _root(document).position
        stored = [version for version in found if _true(version.get("storage"))]
        if len(stored) != 1:
            what = f"{len(stored)} versions are stored."
            yield Defect(position, what, "Set `storage: true` on exactly one version.")
        if VERSION not in [version.text("name") for version in found if _true(version.get("served"))]:
            yield Defect(position, f"The version {VERSION} is not served.", "Add it with `served: true`.")
        for version in found:
            yield from _status(version)


def _true(node: Node | None) -> bool:
    return isinstance(node, ScalarNode) and node.value is True


def _status(version: MapNode) -> Iterator[Defect]:
    subresources = version.map("subresources")
    if subresources is None or "status" not in subresources.entries:
        remedy = "Add `subresources: {status: {}}`, so that only the controller writes it."
        yield Defect(version.position, "The version has no status subresource.", remedy)
    schema = schema_root(version)
    if schema is None:
        yield Defect(version.at("schema"), "The version has no schema.", "Add `schema.openAPIV3Schema`.")
    elif follow(schema, ("properties", "status")) is None:
        yield Defect(schema.position, "The schema has no status.", "Describe it under `properties`.")


@rule("crd-columns")
def crd_columns(specs: SpecSet) -> Iterator[Defect]:
    """Printer columns show existing fields."""
    for document in specs.crds:
        for version in versions(document):
            schema = schema_root(version)
            columns = version.get("additionalPrinterColumns")
            if not isinstance(columns, ListNode) or not columns.items:
                remedy = "Add `additionalPrinterColumns`; they are what `kubectl get` prints."
                yield Defect(version.position, "The version has no printer columns.", remedy)
                continue
            for column in columns.items:
                if isinstance(column, MapNode) and schema is not None:
                    yield from _column(column, schema)


def _column(column: MapNode, schema: MapNode) -> Iterator[Defect]:
    if column.text("type") not in _COLUMN_TYPES:
        remedy = f"Use one of: {', '.join(_COLUMN_TYPES)}."
        yield Defect(column.at("type"), f"{column.text('type')!r} is not a type of column.", remedy)
    path = (column.text("jsonPath") or "").removeprefix(".").split(".")
    if path[0] == "metadata":
        return
    node: Node | None = schema
    for step in path:
        node = follow(node, ("properties", step)) if node is not None else None
    if node is None:
        what = f"The schema has no field {column.text('jsonPath')}."
        yield Defect(column.at("jsonPath"), what, "Correct the path, or declare the field.")


RULES = (
    crd_identity,
    crd_versions,
    crd_columns,
)
