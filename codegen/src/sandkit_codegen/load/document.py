"""Reads one YAML file into positioned nodes, by the core schema of YAML 1.2.

OpenAPI 3.1 prescribes that schema: `no`, `yes` and timestamps are strings and mapping keys are
strings (`200:` is the key "200"). What has no meaning in JSON (tags, merge keys) is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sandkit_codegen.load.finding import Finding, Position, SpecError
from sandkit_codegen.load.nodes import ListNode, MapNode, Node, ScalarNode, ScalarValue

# The base loaders resolve nothing by themselves, so that the 1.2 rules below are the only ones;
# libyaml's is ten times faster and is missing only where PyYAML was built without it.
_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_DEEPEST = 100
_NOT_YAML = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_QUOTED = ("'", '"', "|", ">")
_STANDARD_TAGS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("str", "map", "seq"))
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_RADIX = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_WORDS: dict[str, ScalarValue] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass(frozen=True, slots=True)
class Document:
    """One file that parsed; `path` is spelled as the caller spelled it, with forward slashes."""

    path: str
    root: Node


@dataclass(slots=True)
class _Conversion:
    """State of one conversion from PyYAML nodes: the findings so far and the anchors met."""

    path: str
    findings: list[Finding] = field(default_factory=list)
    finished: dict[int, Node] = field(default_factory=dict)
    open: set[int] = field(default_factory=set)

    def position(self, mark: Any) -> Position:
        return Position(self.path, mark.line + 1, mark.column + 1)

    def report(self, mark: Any, rule: str, what: str, remedy: str) -> None:
        self.findings.append(Finding(self.position(mark), rule, what, remedy))

    def convert(self, node: yaml.Node) -> Node:
        known = self.finished.get(id(node))
        if known is not None:
            return known
        position = self.position(node.start_mark)
        if id(node) in self.open:
            self.report(
                node.start_mark, "yaml-recursion", "This anchor contains itself.", "Write the value out."
            )
            return ScalarNode(position, None)
        if node.tag not in _STANDARD_TAGS:
            what, remedy = (
                f"The tag {node.tag!r} has no meaning in JSON.",
                "Remove it; quote the value to make it a string.",
            )
            self.report(node.start_mark, "yaml-tag", what, remedy)
        self.open.add(id(node))
        result = self._convert_by_kind(node, position)
        self.open.discard(id(node))
        self.finished[id(node)] = result
        return result

    def _convert_by_kind(self, node: yaml.Node, position: Position) -> Node:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, position)
        if isinstance(node, yaml.SequenceNode):
            return ListNode(position, tuple(self.convert(item) for item in node.value))
        assert isinstance(node, yaml.ScalarNode)
        return ScalarNode(position, node.value if node.style in _QUOTED else _resolve(node.value))

    def _mapping(self, node: yaml.MappingNode, position: Position) -> MapNode:
        entries: dict[str, Node] = {}
        keys: dict[str, Position] = {}
        for key, value in self._pairs(node):
            entries[key.value] = self.convert(value)
            keys[key.value] = self.position(key.start_mark)
        return MapNode(position, entries, keys)

    def _pairs(self, node: yaml.MappingNode) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
        first: dict[str, yaml.ScalarNode] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.report(
                    key.start_mark, "yaml-key", "A key is not a string.", "Use a plain word as the key."
                )
            elif key.value == "<<" and key.style not in _QUOTED:
                what, remedy = (
                    "Merge keys (`<<`) are not YAML 1.2.",
                    "Write the fields out, or alias the whole value.",
                )
                self.report(key.start_mark, "yaml-merge-key", what, remedy)
            elif key.value in first:
                line = first[key.value].start_mark.line + 1
                what = f"The key {key.value!r} was already given on line {line}."
                self.report(
                    key.start_mark, "yaml-duplicate-key", what, "Remove one of the two, or rename it."
                )
            else:
                first[key.value] = key
                yield key, value


def _resolve(text: str) -> ScalarValue:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _RADIX.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def read_document(path: Path) -> Document:
    """Read one YAML file.

    Raises SpecError, with the position of every defect, when the file is missing, is not UTF-8, is not one
    well-formed YAML document, or repeats a key.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unreadable(
            path, 1, 1, "file-missing", f"Cannot be read: {error.strerror}.", "Create the file."
        ) from error
    return parse_document(path.as_posix(), content)


def parse_document(path: str, content: bytes) -> Document:
    """Parse the bytes of a YAML file; `path` only names it in positions. Raises like `read_document`."""
    composed = _compose(path, _decode(path, content))
    conversion = _Conversion(path)
    root = conversion.convert(composed)
    if conversion.findings:
        raise SpecError(conversion.findings)
    return Document(path, root)


def _compose(path: str, text: str) -> yaml.Node:
    odd = _NOT_YAML.search(text)
    if odd is not None:
        line, column = _line_and_column(text[: odd.start()])
        what = f"The character U+{ord(odd.group()):04X} is not allowed in YAML."
        raise _unreadable(path, line, column, "yaml-character", what, "Remove it or write it as an escape.")
    try:
        _bound_depth(path, text)
        composed = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        parts = [part for part in (error.context, error.problem) if part]
        what = f"Not well-formed YAML: {', '.join(parts)}."
        remedy = "Correct the indentation, quotes or brackets here."
        raise _unreadable(path, line, column, "yaml-syntax", what, remedy) from error
    if composed is None:
        remedy = "Write its content, or delete the file."
        raise _unreadable(path, 1, 1, "yaml-empty", "The file holds no document.", remedy)
    return composed


def _bound_depth(path: str, text: str) -> None:
    """Composing recurses in C, where too deep a document would end the process instead of raising."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST:
            mark: Any = event.start_mark
            what = f"More than {_DEEPEST} levels of nesting."
            raise _unreadable(
                path, mark.line + 1, mark.column + 1, "yaml-depth", what, "Flatten the document."
            )


def _decode(path: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column = _line_and_column(content[: error.start].decode("utf-8-sig"))
        what = f"The byte 0x{content[error.start]:02X} is not UTF-8."
        raise _unreadable(path, line, column, "yaml-encoding", what, "Save the file as UTF-8.") from error


def _line_and_column(before: str) -> tuple[int, int]:
    lines = before.split("\n")
    return len(lines), len(lines[-1]) + 1


def _unreadable(path: object, line: int, column: int, rule: str, what: str, remedy: str) -> SpecError:
    name = path.as_posix() if isinstance(path, Path) else str(path)
    return SpecError([Finding(Position(name, line, column), rule, what, remedy)])
