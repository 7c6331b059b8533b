"""YAML with positions: plain data plus the line of every part, read by the YAML 1.2 core rules."""

from __future__ import annotations

import re
from typing import Any

import yaml
from attrs import field, frozen

from sandkit_conformance.failures import BadFileError, Position, Problem

Path = tuple[str | int, ...]


# The parser in C reads scenarios several times faster; PyYAML is built without it on some platforms.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _CoreLoader(_Loader):  # type: ignore[valid-type, misc]
    """PyYAML's loader without the YAML 1.1 surprises: `on` and `no` are strings, and so are dates."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own protocol


for _tag, _pattern, _first in (
    ("tag:yaml.org,2002:null", r"^(?:null|~|)$", ["n", "~", ""]),
    ("tag:yaml.org,2002:bool", r"^(?:true|false)$", ["t", "f"]),
    ("tag:yaml.org,2002:int", r"^[-+]?[0-9]+$", list("-+0123456789")),
    ("tag:yaml.org,2002:float", r"^[-+]?[0-9]+\.[0-9]+(?:e[-+]?[0-9]+)?$", list("-+0123456789")),
):
    _CoreLoader.add_implicit_resolver(_tag, re.compile(_pattern), _first)
_CoreLoader.add_constructor(
    "tag:yaml.org,2002:int",
    lambda _loader, node: int(node.value) if isinstance(node, yaml.ScalarNode) else None,
)


@frozen
class Document:
    """The data of one file, and where each part of it stands. Mapping keys are always strings."""

    file: str
    data: Any
    lines: dict[Path, int] = field(factory=dict)

    def position(self, path: Path) -> Position:
        """Where the part at `path` stands; for a part that is not there, the nearest one above it."""
        while path and path not in self.lines:
            path = path[:-1]
        return Position(self.file, self.lines.get(path, 1))


def read_document(text: str, file: str) -> Document:
    """Read one YAML document.

    Raises:
        BadFileError: the text is not YAML, has a duplicate key, a tag or a merge key.
    """
    try:
        loader = _CoreLoader(text)
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = error.problem or error.context or "this is not YAML"
        if "${" in text.splitlines()[mark.line] if mark and mark.line < len(text.splitlines()) else False:
            message += "; quote a ${…} that stands inside {…} or […]"
        raise BadFileError([Problem(Position(file, mark.line + 1 if mark else 1), message)]) from error
    except yaml.YAMLError as error:
        raise BadFileError([Problem(Position(file, 1), str(error))]) from error
    document = Document(file, None)
    if node is None:
        return document
    data = _Builder(loader, document).build(node, ())
    return Document(file, data, document.lines)


class _Builder:
    """Turns PyYAML's node tree into data, and remembers lines on the way."""

    def __init__(self, loader: _CoreLoader, document: Document) -> None:
        self._loader = loader
        self._document = document

    def build(self, node: yaml.Node, path: Path) -> Any:
        self._document.lines[path] = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(child, (*path, index)) for index, child in enumerate(node.value)]
        try:
            return self._loader.construct_object(node, deep=True)
        except yaml.YAMLError as error:
            raise self._bad(node, f"tag {node.tag} is not allowed here; use plain values") from error

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._bad(
                    key_node, "a key must be a plain word; quote a ${…} that stands inside {…} or […]"
                )
            key = str(key_node.value)
            if key == "<<":
                raise self._bad(key_node, "merge keys are not allowed; write the fields out")
            if key in result:
                raise self._bad(key_node, f"`{key}` stands here twice; keep one")
            result[key] = self.build(value_node, (*path, key))
            self._document.lines[*path, key] = key_node.start_mark.line + 1
        return result

    def _bad(self, node: yaml.Node, message: str) -> BadFileError:
        return BadFileError([Problem(Position(self._document.file, node.start_mark.line + 1), message)])
