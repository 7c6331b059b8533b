"""The closed set of matchers: what `expect`, `is` and `where` can say about a value."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from attrs import evolve, frozen

from sandkit_conformance.scenario.paths import NOTHING, select

_TEXT_LIMIT: Final = 400
_MILLISECOND: Final = timedelta(milliseconds=1)
_INSTANT: Final = re.compile(r"^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$")
_BEYOND_MICROSECONDS: Final = re.compile(r"(\.\d{6})\d+")


@frozen
class Mismatch:
    """One expectation that did not hold: where, what was expected, what was there."""

    where: str
    expected: str
    observed: str

    def __str__(self) -> str:
        return f"{self.where}: expected {self.expected}, observed {self.observed}"


def show(value: Any) -> str:
    """A value as a reader wants to see it in one line: JSON, shortened in the middle."""
    if value is NOTHING:
        return str(value)
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    return text if len(text) <= _TEXT_LIMIT else f"{text[: _TEXT_LIMIT - 60]} … {text[-50:]}"


def equal(left: Any, right: Any) -> bool:
    """JSON equality: 1 equals 1.0, true does not equal 1, the order of keys is nothing."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(value, right[key]) for key, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    return bool(left == right)


def parse_instant(text: Any) -> datetime | None:
    """An RFC 3339 date-time with offset, in UTC; None when it is not one."""
    if not isinstance(text, str) or not _INSTANT.match(text):
        return None
    # Python reads at most microseconds; servers may send nanoseconds.
    short = _BEYOND_MICROSECONDS.sub(r"\1", text)
    try:
        return datetime.fromisoformat(short).astimezone(UTC)
    except ValueError:
        return None


def match(expected: Any, value: Any, where: str = "$") -> list[Mismatch]:
    """Hold `value` (possibly `NOTHING`) against a matcher; empty when it matches.

    A scalar or a list means equality; a mapping is a conjunction of matchers.
    """
    if not isinstance(expected, Mapping):
        return _equals(expected, value, where)
    mismatches: list[Mismatch] = []
    for name, argument in expected.items():
        mismatches += _MATCHERS[name](argument, value, where)
    return mismatches


def match_fields(expected: Mapping[str, Any], value: Any, where: str = "") -> list[Mismatch]:
    """Hold parts of `value` against `{path: matcher}`."""
    mismatches: list[Mismatch] = []
    for path, matcher in expected.items():
        label = f"{where}.{path}" if where and not path.startswith("[") else f"{where}{path}"
        mismatches += match(matcher, select(value, path), label)
    return mismatches


def _one(holds: bool, where: str, expected: str, value: Any, *shown: Any) -> list[Mismatch]:
    """Nothing, or one mismatch. Its words are put together only then: most of what is looked at holds."""
    if holds:
        return []
    return [Mismatch(where, expected.format(*map(show, shown)) if shown else expected, show(value))]


def _equals(argument: Any, value: Any, where: str) -> list[Mismatch]:
    return _one(value is not NOTHING and equal(argument, value), where, "{}", value, argument)


def _not(argument: Any, value: Any, where: str) -> list[Mismatch]:
    return _one(bool(match(argument, value, where)), where, "not {}", value, argument)


def _one_of(argument: list[Any], value: Any, where: str) -> list[Mismatch]:
    holds = value is not NOTHING and any(equal(option, value) for option in argument)
    return _one(holds, where, "one of {}", value, argument)


def _matches(argument: str, value: Any, where: str) -> list[Mismatch]:
    holds = isinstance(value, str) and re.search(argument, value) is not None
    return _one(holds, where, f"a string matching /{argument}/", value)


def _holds_part(part: Any, value: Any) -> bool:
    if isinstance(value, str):
        return isinstance(part, str) and part in value
    if isinstance(value, list):
        return any(equal(part, element) for element in value)
    if isinstance(value, dict) and isinstance(part, Mapping):
        return all(key in value and equal(inner, value[key]) for key, inner in part.items())
    return False


def _contains(argument: Any, value: Any, where: str) -> list[Mismatch]:
    if isinstance(argument, Mapping) and isinstance(value, dict):
        # Entry by entry, so that the report names the entry at fault and not the whole mapping.
        return [
            Mismatch(f"{where}.{key}", show(part), show(value.get(key, NOTHING)))
            for key, part in argument.items()
            if key not in value or not equal(part, value[key])
        ]
    return _one(_holds_part(argument, value), where, "something containing {}", value, argument)


def _excludes(argument: Any, value: Any, where: str) -> list[Mismatch]:
    if isinstance(value, dict):
        if isinstance(argument, Mapping):
            there = any(key in value and equal(part, value[key]) for key, part in argument.items())
        else:
            keys = argument if isinstance(argument, list) else [argument]
            there = any(key in value for key in keys)
    elif value is NOTHING or value is None:
        there = False
    else:
        there = _holds_part(argument, value)
    return _one(not there, where, "nothing of {}", value, argument)


def _mentioned(text: str, value: Any) -> bool:
    if isinstance(value, str):
        return text in value
    if isinstance(value, dict):
        return any(text in str(key) or _mentioned(text, part) for key, part in value.items())
    return isinstance(value, list | tuple) and any(_mentioned(text, part) for part in value)


def _mentions(argument: str, value: Any, where: str) -> list[Mismatch]:
    return _one(_mentioned(argument, value), where, "{} somewhere inside", value, argument)


def _exists(argument: bool, value: Any, where: str) -> list[Mismatch]:
    return _one(
        (value is not NOTHING) is argument, where, "to be there" if argument else "not to be there", value
    )


def _absent(_argument: bool, value: Any, where: str) -> list[Mismatch]:
    return _one(value is NOTHING or value is None, where, "nothing, or null", value)


_TYPES: Final[dict[str, Callable[[Any], bool]]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "null": lambda value: value is None,
    "instant": lambda value: parse_instant(value) is not None,
}


def _type(argument: str, value: Any, where: str) -> list[Mismatch]:
    return _one(_TYPES[argument](value), where, f"type {argument}", value)


def _length(argument: Any, value: Any, where: str) -> list[Mismatch]:
    if not isinstance(value, str | list | dict):
        return [Mismatch(where, "something that has a length", show(value))]
    found = match(argument, len(value), f"length of {where}")
    return [evolve(mismatch, observed=f"{mismatch.observed} in {show(value)}") for mismatch in found]


def _ordered(sign: str, holds: Callable[[Any, Any], bool]) -> Callable[[Any, Any, str], list[Mismatch]]:
    def matcher(argument: Any, value: Any, where: str) -> list[Mismatch]:
        comparable = _TYPES["number"](value) and _TYPES["number"](argument)
        return _one(comparable and holds(value, argument), where, f"a number {sign} {{}}", value, argument)

    return matcher


def _moment(
    word: str, holds: Callable[[datetime, datetime], bool]
) -> Callable[[Any, Any, str], list[Mismatch]]:
    def matcher(argument: Any, value: Any, where: str) -> list[Mismatch]:
        wanted, found = parse_instant(argument), parse_instant(value)
        good = wanted is not None and found is not None and holds(found, wanted)
        return _one(good, where, f"{word} {{}}", value, argument)

    return matcher


def _fields(argument: Mapping[str, Any], value: Any, where: str) -> list[Mismatch]:
    return match_fields(argument, value, where)


def _any_of(argument: list[Any], value: Any, where: str) -> list[Mismatch]:
    holds = any(not match(option, value, where) for option in argument)
    return _one(holds, where, "any of {}", value, argument)


def _each(argument: Any, value: Any, where: str) -> list[Mismatch]:
    if not isinstance(value, list) or not value:
        return [Mismatch(where, "a list with at least one element", show(value))]
    return [
        mismatch
        for index, element in enumerate(value)
        for mismatch in match(argument, element, f"{where}[{index}]")
    ]


def _any(argument: Any, value: Any, where: str) -> list[Mismatch]:
    there = isinstance(value, list) and any(not match(argument, element, where) for element in value)
    return _one(there, where, "an element like {}", value, argument)


def _unique(_argument: bool, value: Any, where: str) -> list[Mismatch]:
    distinct = isinstance(value, list) and not any(
        equal(value[left], value[right]) for right in range(len(value)) for left in range(right)
    )
    return _one(distinct, where, "a list without repetitions", value)


def _same_set(argument: list[Any], value: Any, where: str) -> list[Mismatch]:
    left = list(value) if isinstance(value, list) else [NOTHING]
    for wanted in argument:
        at = next((index for index, element in enumerate(left) if equal(wanted, element)), None)
        if at is None:
            return [Mismatch(where, f"in any order {show(argument)}", show(value))]
        del left[at]
    return _one(not left, where, "in any order {}", value, argument)


_MATCHERS: Final[dict[str, Callable[[Any, Any, str], list[Mismatch]]]] = {
    "equals": _equals,
    "not": _not,
    "any_of": _any_of,
    "fields": _fields,
    "one_of": _one_of,
    "matches": _matches,
    "contains": _contains,
    "excludes": _excludes,
    "mentions": _mentions,
    "exists": _exists,
    "absent": _absent,
    "type": _type,
    "length": _length,
    "gt": _ordered(">", lambda value, bound: value > bound),
    "ge": _ordered("≥", lambda value, bound: value >= bound),
    "lt": _ordered("<", lambda value, bound: value < bound),
    "le": _ordered("≤", lambda value, bound: value <= bound),
    "same_instant": _moment("the instant", lambda found, wanted: abs(found - wanted) < _MILLISECOND),
    "after": _moment("an instant after", lambda found, wanted: found > wanted),
    "before": _moment("an instant before", lambda found, wanted: found < wanted),
    "each": _each,
    "any": _any,
    "unique": _unique,
    "same_set": _same_set,
}
MATCHER_NAMES: Final = tuple(_MATCHERS)
