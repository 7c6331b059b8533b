"""Checks a document of ours against its JSON Schema and says where and how it has to be mended."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError

from sandkit_codegen.load.document import Document
from sandkit_codegen.load.finding import Finding, Position, SpecError
from sandkit_codegen.load.nodes import MapNode, Node, follow, plain

_Detail = Callable[[Any], tuple[str, str]]


def schema_of(path: Path) -> Draft202012Validator:
    """The validator of the JSON Schema file at `path`.

    Raises SpecError when the file is missing, is not JSON or is not a JSON Schema of 2020-12.
    """
    try:
        return _validator(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _unusable(path, f"The schema cannot be read: {error.strerror}.") from error
    except json.JSONDecodeError as error:
        raise _unusable(path, f"Not JSON: {error.msg}.", error.lineno, error.colno) from error
    except SchemaError as error:
        raise _unusable(path, f"Not a JSON Schema: {error.message}.") from error


@lru_cache(maxsize=16)
def _validator(text: str) -> Draft202012Validator:
    schema: Any = json.loads(text)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=FormatChecker(formats=("regex",)))


def _unusable(path: Path, what: str, line: int = 1, column: int = 1) -> SpecError:
    position = Position(path.as_posix(), line, column)
    return SpecError([Finding(position, "schema-file", what, "Restore the file; it comes with the specs.")])


def check_structure(document: Document, validator: Draft202012Validator) -> list[Finding]:
    """Every place where the document departs from its schema, in reading order."""
    return sorted(set(structure_findings(document.root, validator)))


def structure_findings(root: Node, validator: Draft202012Validator) -> Iterator[Finding]:
    """The departures of any node from a schema, each at the key or value to be changed."""
    errors: Iterable[Any] = validator.iter_errors(plain(root))
    for error in errors:
        steps = tuple(str(step) for step in error.absolute_path)
        node = follow(root, steps) or root
        if error.validator == "additionalProperties" and isinstance(node, MapNode):
            yield from _unknown_fields(node, error)
        elif error.validator == "not":
            position = _key_position(root, steps, node)
            yield Finding(position, "structure", f"{_name(steps)} is not allowed here.", "Remove it.")
        else:
            what, remedy = _DETAILS.get(str(error.validator), _other)(error)
            yield Finding(node.position, "structure", f"{_name(steps)} {what}", remedy)


def _name(steps: Sequence[str]) -> str:
    if not steps:
        return "The document"
    return f"The item {int(steps[-1]) + 1}" if steps[-1].isdecimal() else f"The field `{steps[-1]}`"


def _key_position(root: Node, steps: tuple[str, ...], node: Node) -> Position:
    parent = follow(root, steps[:-1]) if steps else None
    return parent.at(steps[-1]) if isinstance(parent, MapNode) else node.position


def _unknown_fields(node: MapNode, error: Any) -> Iterator[Finding]:
    allowed = sorted(error.schema.get("properties", {}))
    for key in node.entries:
        if key in allowed:
            continue
        close = difflib.get_close_matches(key, allowed, n=1)
        remedy = (
            f"Did you mean `{close[0]}`?" if close else f"Remove it, or use one of: {', '.join(allowed)}."
        )
        yield Finding(node.at(key), "unknown-field", f"The field `{key}` is not known here.", remedy)


def _required(error: Any) -> tuple[str, str]:
    missing = sorted(set(error.validator_value) - set(error.instance))
    return f"lacks {_listed(missing)}.", f"Add {_listed(missing)}."


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _enum(error: Any) -> tuple[str, str]:
    allowed = ", ".join("null" if value is None else str(value) for value in error.validator_value)
    return f"is {_shown(error.instance)}, which is not a known value.", f"Use one of: {allowed}."


def _const(error: Any) -> tuple[str, str]:
    return f"is {_shown(error.instance)}.", f"Write {_shown(error.validator_value)}."


def _type(error: Any) -> tuple[str, str]:
    expected = error.validator_value if isinstance(error.validator_value, list) else [error.validator_value]
    remedy = f"Write a value of type {' or '.join(expected)}."
    return f"is {_shown(error.instance)}, which has the wrong type.", remedy


def _pattern(error: Any) -> tuple[str, str]:
    return f"is {_shown(error.instance)}.", f"Write a value that matches {error.validator_value}."


def _format(error: Any) -> tuple[str, str]:
    wanted = _FORMATS.get(error.validator_value, error.validator_value)
    return f"is {_shown(error.instance)}, which is not {wanted}.", f"Write {wanted}."


def _bound(error: Any) -> tuple[str, str]:
    return (
        f"is {_shown(error.instance)}, out of range.",
        f"Keep to {error.validator} {error.validator_value}.",
    )


def _too_few(error: Any) -> tuple[str, str]:
    return "is too short or empty.", f"Give at least {error.validator_value}."


def _unique(error: Any) -> tuple[str, str]:
    items = [_shown(item) for item in error.instance]
    repeated = sorted({item for item in items if items.count(item) > 1})
    return f"repeats {', '.join(repeated)}.", "Remove the repetition."


def _other(error: Any) -> tuple[str, str]:
    return (
        f"breaks the rule `{error.validator}`.",
        f"Satisfy {error.validator}: {_shown(error.validator_value)}.",
    )


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


_FORMATS = {"regex": "a regular expression", "date-time": "an instant of RFC 3339 with an offset"}
_DETAILS: dict[str, _Detail] = {
    "required": _required,
    "enum": _enum,
    "format": _format,
    "const": _const,
    "type": _type,
    "pattern": _pattern,
    "minimum": _bound,
    "maximum": _bound,
    "exclusiveMinimum": _bound,
    "exclusiveMaximum": _bound,
    "maxLength": _bound,
    "maxItems": _bound,
    "minLength": _too_few,
    "minItems": _too_few,
    "minProperties": _too_few,
    "uniqueItems": _unique,
}
