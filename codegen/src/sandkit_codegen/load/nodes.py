"""A YAML document as a tree whose every node and every key knows its place in the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from sandkit_codegen.load.finding import Position

ScalarValue: TypeAlias = str | int | float | bool | None
PlainValue: TypeAlias = ScalarValue | list["PlainValue"] | dict[str, "PlainValue"]
Path: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """A string, number, boolean or null."""

    position: Position
    value: ScalarValue


@dataclass(frozen=True, slots=True)
class ListNode:
    """A sequence; `items` in document order."""

    position: Position
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class MapNode:
    """A mapping; `entries` in document order, `keys` holds the position of each key."""

    position: Position
    entries: Mapping[str, Node]
    keys: Mapping[str, Position]

    def get(self, key: str) -> Node | None:
        """The value under `key`, or None when the key is absent (a YAML null is a ScalarNode)."""
        return self.entries.get(key)

    def map(self, key: str) -> MapNode | None:
        """The mapping under `key`, or None when it is absent or something else."""
        value = self.entries.get(key)
        return value if isinstance(value, MapNode) else None

    def items_of(self, key: str) -> tuple[Node, ...]:
        """The items of the list under `key`; empty when it is absent or something else."""
        value = self.entries.get(key)
        return value.items if isinstance(value, ListNode) else ()

    def text(self, key: str) -> str | None:
        """The string under `key`, or None when it is absent or something else."""
        return text_of(self.entries.get(key))

    def at(self, key: str) -> Position:
        """Where `key` stands; where the mapping starts when the key is absent."""
        return self.keys.get(key, self.position)


Node: TypeAlias = ScalarNode | ListNode | MapNode


def text_of(node: Node | None) -> str | None:
    """The string a node holds, or None for anything else."""
    if isinstance(node, ScalarNode) and isinstance(node.value, str):
        return node.value
    return None


def texts_of(node: Node | None) -> tuple[str, ...]:
    """The strings among the items of a list node, in document order."""
    items = node.items if isinstance(node, ListNode) else ()
    return tuple(text for text in map(text_of, items) if text is not None)


def children(node: Node) -> Iterator[tuple[str, Node]]:
    """The direct children of a node with the key or the index that leads to each."""
    if isinstance(node, MapNode):
        yield from node.entries.items()
    elif isinstance(node, ListNode):
        yield from ((str(index), item) for index, item in enumerate(node.items))


def walk(node: Node, path: Path = ()) -> Iterator[tuple[Path, Node]]:
    """Every node below and including `node`, parents first, with its path from the start."""
    yield path, node
    for key, child in children(node):
        yield from walk(child, (*path, key))


def follow(node: Node, path: Path) -> Node | None:
    """The node `path` leads to, or None when there is none."""
    current: Node | None = node
    for step in path:
        if isinstance(current, MapNode):
            current = current.entries.get(step)
        elif isinstance(current, ListNode) and step.isdecimal() and int(step) < len(current.items):
            current = current.items[int(step)]
        else:
            return None
    return current


def plain(node: Node) -> PlainValue:
    """The node as ordinary Python data without positions; a fresh copy at every call."""
    if isinstance(node, MapNode):
        return {key: plain(value) for key, value in node.entries.items()}
    if isinstance(node, ListNode):
        return [plain(item) for item in node.items]
    return node.value
