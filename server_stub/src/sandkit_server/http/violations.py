"""Every place where a document breaks the shape a request has to have.

The fast way to check a document is msgspec itself, which stops at the first fault and names places inside
maps only roughly. So when it refuses, the document is walked once more along the same types, and all faults
are collected with exact JSON Pointers (RFC 6901). Messages say what was expected and never quote what was
sent, which may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Final, NamedTuple, TypeAlias

import msgspec
from msgspec import inspect as types

__all__ = ["Fault", "faults"]

Path: TypeAlias = tuple[str | int, ...]


class Fault(NamedTuple):
    """One place that breaks one rule; ``rule`` is the JSON Schema keyword, such as ``maxLength``."""

    path: Path
    rule: str
    message: str

    @property
    def pointer(self) -> str:
        """The place as a JSON Pointer."""
        return "".join("/" + str(token).replace("~", "~0").replace("/", "~1") for token in self.path)


def faults(document: Any, expected: Any) -> list[Fault]:
    """All faults of a document against a msgspec type, in the order of the type's fields."""
    return list(_walk(document, _type_info(expected), ()))


@cache
def _type_info(of: Any) -> types.Type:
    return types.type_info(of)


def _walk(value: Any, expected: types.Type, path: Path) -> Iterator[Fault]:
    members = expected.types if isinstance(expected, types.UnionType) else (expected,)
    for member in members:
        kind = _kind(member)
        if kind.holds(value):
            yield from kind.check(value, member, path)
            return
    names = " or ".join(_kind(member).name for member in members)
    yield Fault(path, "type", f"Expected {names}, got {_json_name(value)}.")


def _check_struct(value: Mapping[str, Any], expected: Any, path: Path) -> Iterator[Fault]:
    for member in expected.fields:
        name = member.encode_name
        if name in value:
            yield from _walk(value[name], member.type, (*path, name))
        elif member.required:
            yield Fault((*path, name), "required", "This field is required.")


def _check_array(value: list[Any], expected: Any, path: Path) -> Iterator[Fault]:
    if expected.min_length is not None and len(value) < expected.min_length:
        yield Fault(path, "minItems", f"Give at least {_count(expected.min_length, 'item')}.")
    if expected.max_length is not None and len(value) > expected.max_length:
        yield Fault(path, "maxItems", f"Give at most {_count(expected.max_length, 'item')}.")
    for index, item in enumerate(value):
        yield from _walk(item, expected.item_type, (*path, index))


def _check_map(value: Mapping[str, Any], expected: Any, path: Path) -> Iterator[Fault]:
    for key, item in value.items():
        yield from _walk(item, expected.value_type, (*path, key))


def _check_string(value: str, expected: Any, path: Path) -> Iterator[Fault]:
    if expected.min_length is not None and len(value) < expected.min_length:
        yield Fault(path, "minLength", f"Give at least {_count(expected.min_length, 'character')}.")
    if expected.max_length is not None and len(value) > expected.max_length:
        yield Fault(path, "maxLength", f"Give at most {_count(expected.max_length, 'character')}.")
    if expected.pattern is not None and re.search(expected.pattern, value) is None:
        # Python spells the end of a text \Z, JSON Schema writes a dollar sign.
        yield Fault(path, "pattern", f"This has to match {expected.pattern.replace(_END, '$')}")


def _check_integer(value: int, expected: Any, path: Path) -> Iterator[Fault]:
    if expected.ge is not None and value < expected.ge:
        yield Fault(path, "minimum", f"The least value is {expected.ge}.")
    if expected.le is not None and value > expected.le:
        yield Fault(path, "maximum", f"The greatest value is {expected.le}.")


def _check_instant(value: str, _: Any, path: Path) -> Iterator[Fault]:
    try:
        msgspec.convert(value, _INSTANT)
    except msgspec.ValidationError:
        yield Fault(
            path, "format", "Expected an RFC 3339 instant with an offset, such as 2030-01-31T12:00:00Z."
        )


def _check_nothing(_: Any, __: Any, ___: Path) -> Iterator[Fault]:
    return iter(())


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is(*kinds: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, kinds)


class _Kind(NamedTuple):
    """What one kind of expected type is called, which JSON values it takes, and what else it asks of them."""

    name: str
    holds: Callable[[Any], bool]
    check: Callable[[Any, Any, Path], Iterator[Fault]]


_END: Final = "\\Z"
_INSTANT: Final = Annotated[datetime, msgspec.Meta(tz=True)]
_KINDS: Final[Mapping[type[types.Type], _Kind]] = {
    types.StrType: _Kind("a string", _is(str), _check_string),
    types.DateTimeType: _Kind("a string with an instant", _is(str), _check_instant),
    types.BoolType: _Kind("a boolean", _is(bool), _check_nothing),
    types.IntType: _Kind("a whole number", _is_integer, _check_integer),
    types.ListType: _Kind("an array", _is(list), _check_array),
    types.DictType: _Kind("an object", _is(dict), _check_map),
    types.StructType: _Kind("an object", _is(dict), _check_struct),
    types.NoneType: _Kind("null", _is(type(None)), _check_nothing),
}


def _kind(expected: types.Type) -> _Kind:
    return _KINDS[type(expected)]


_JSON_NAMES: Final[tuple[tuple[type, str], ...]] = (
    (type(None), "null"),
    (bool, "a boolean"),
    (str, "a string"),
    (int, "a whole number"),
    (float, "a number"),
    (list, "an array"),
    (dict, "an object"),
)


def _json_name(value: Any) -> str:
    return next(name for kind, name in _JSON_NAMES if isinstance(value, kind))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
