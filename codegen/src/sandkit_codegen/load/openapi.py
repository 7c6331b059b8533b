"""The OpenAPI document: its operations in document order, its references, its bundle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast

from sandkit_codegen.load.document import Document
from sandkit_codegen.load.finding import Finding, Position, SpecError
from sandkit_codegen.load.nodes import MapNode, Node, Path, PlainValue, follow, plain, text_of, texts_of, walk

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_LITERAL_KEYS = frozenset({"example", "default", "const", "enum", "value"})


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation; `method` in upper case, `operation_id` empty when the document gives none."""

    operation_id: str
    method: str
    path: str
    tags: tuple[str, ...]
    error_codes: tuple[str, ...]
    node: MapNode = field(compare=False, repr=False)
    path_item: MapNode = field(compare=False, repr=False)
    position: Position = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class OpenApi:
    """lifecycle.yaml. It is one file by design, so every reference in it is local (`#/…`)."""

    document: Document

    @property
    def root(self) -> MapNode:
        """The top-level mapping; empty when the file holds something else."""
        root = self.document.root
        return root if isinstance(root, MapNode) else MapNode(root.position, {}, {})

    @property
    def operations(self) -> tuple[Operation, ...]:
        """Every operation in document order."""
        return tuple(self._operations())

    def _operations(self) -> Iterator[Operation]:
        paths = self.root.map("paths")
        for path, item in paths.entries.items() if paths else ():
            if not isinstance(item, MapNode):
                continue
            for method in item.entries:
                node = item.map(method)
                if method in METHODS and node is not None:
                    yield Operation(
                        operation_id=node.text("operationId") or "",
                        method=method.upper(),
                        path=path,
                        tags=texts_of(node.get("tags")),
                        error_codes=texts_of(node.get("x-sandkit-errors")),
                        node=node,
                        path_item=item,
                        position=item.at(method),
                    )

    def operation(self, operation_id: str) -> Operation:
        """The operation with this id. Raises KeyError when there is none."""
        for operation in self.operations:
            if operation.operation_id == operation_id:
                return operation
        raise KeyError(operation_id)

    def components(self, section: str) -> Mapping[str, Node]:
        """The named components of one section (`schemas`, `responses`, …) in document order."""
        components = self.root.map("components")
        entries = components.map(section) if components else None
        return entries.entries if entries else {}

    def resolve(self, node: Node) -> Node:
        """The node itself, or what its `$ref` (or chain of them) leads to.

        Raises SpecError, positioned at the reference, when it leads nowhere or in a circle.
        """
        seen: list[str] = []
        while (reference := reference_of(node)) is not None:
            if reference in seen:
                raise SpecError(
                    [_broken(node, reference, "leads in a circle", "Let one of them hold the content.")]
                )
            seen.append(reference)
            target = self._target(reference)
            if target is None:
                raise SpecError([_dangling(self, node, reference)])
            node = target
        return node

    def _target(self, reference: str) -> Node | None:
        path = pointer_path(reference)
        return None if path is None else follow(self.document.root, path)

    def parameters(self, operation: Operation) -> tuple[MapNode, ...]:
        """The parameters of an operation, resolved: its own, then those of its path it does not override."""
        found: dict[tuple[str | None, str | None], MapNode] = {}
        for owner in (operation.node, operation.path_item):
            for item in owner.items_of("parameters"):
                node = self.resolve(item)
                if isinstance(node, MapNode):
                    found.setdefault((node.text("in"), node.text("name")), node)
        return tuple(found.values())

    def responses(self, operation: Operation) -> Mapping[str, MapNode]:
        """The responses of an operation by status (or `default`), resolved, in document order."""
        responses = operation.node.map("responses")
        resolved = (
            {}
            if responses is None
            else {status: self.resolve(node) for status, node in responses.entries.items()}
        )
        return {status: node for status, node in resolved.items() if isinstance(node, MapNode)}

    def request_body(self, operation: Operation) -> MapNode | None:
        """The request body of an operation, resolved, or None when it takes none."""
        body = operation.node.get("requestBody")
        resolved = None if body is None else self.resolve(body)
        return resolved if isinstance(resolved, MapNode) else None

    def bundled(self) -> dict[str, PlainValue]:
        """The whole document as plain JSON-compatible data, local references kept; a fresh copy each time."""
        return cast("dict[str, PlainValue]", plain(self.root))


def reference_of(node: Node) -> str | None:
    """The text of a node's `$ref`, or None when it has none."""
    return text_of(node.entries.get("$ref")) if isinstance(node, MapNode) else None


def pointer_path(reference: str) -> Path | None:
    """The steps of a local reference such as `#/components/schemas/Pool` (RFC 6901); None if not local."""
    if reference == "#":
        return ()
    if not reference.startswith("#/"):
        return None
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in reference[2:].split("/"))


def check_references(api: OpenApi) -> list[Finding]:
    """Every reference that is not local, leads nowhere or leads in a circle, in reading order."""
    found: list[Finding] = []
    for node in reference_nodes(api.document.root):
        try:
            api.resolve(node)
        except SpecError as error:
            found.extend(error.findings)
    return sorted(set(found))


def reference_nodes(root: Node) -> Iterator[Node]:
    """Every node with a `$ref`; not those inside examples and other literal values."""
    return (
        node
        for path, node in walk(root)
        if reference_of(node) is not None and not _LITERAL_KEYS.intersection(_literal_steps(path))
    )


def _literal_steps(path: Path) -> Iterator[str]:
    """The steps that are keywords: a property that happens to be called `value` is none."""
    return (
        step
        for before, step in zip(("", *path), path, strict=False)
        if before not in ("properties", "schemas", "examples")
    )


def _dangling(api: OpenApi, node: Node, reference: str) -> Finding:
    path = pointer_path(reference)
    if path is None:
        return _broken(
            node,
            reference,
            "leaves the file",
            "Move its target under `components` and refer to it by `#/…`.",
            "ref-external",
        )
    known = follow(api.document.root, path[:-1])
    names = ", ".join(known.entries) if isinstance(known, MapNode) else ""
    remedy = f"Define it, or use one of: {names}." if names else "Define it, or correct the path."
    return _broken(node, reference, "leads nowhere", remedy)


def _broken(node: Node, reference: str, how: str, remedy: str, rule: str = "ref-dangling") -> Finding:
    position = node.at("$ref") if isinstance(node, MapNode) else node.position
    return Finding(position, rule, f"The reference {reference} {how}.", remedy)
