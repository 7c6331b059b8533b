"""Paths into JSON: `a.b`, `a[0]`, `a[*].b`, `a["key with.dots"]`, and `$` for the whole."""

from __future__ import annotations

import functools
import re
from enum import Enum
from typing import Any, Final

from attrs import frozen

_SEGMENT: Final = re.compile(
    r"""
    (?P<dot>\.)?
    (?:
        (?P<key>[^.\[\]"'\s]+)
      | \[(?P<index>-?\d+)\]
      | \[(?P<all>\*)\]
      | \["(?P<quoted>[^"]*)"\]
      | \['(?P<single>[^']*)'\]
    )
    """,
    re.VERBOSE,
)


class Nothing(Enum):
    """The value of a path that leads nowhere; distinct from null, which is something."""

    NOTHING = "nothing"

    def __str__(self) -> str:
        return "nothing (absent)"


NOTHING: Final = Nothing.NOTHING


class PathError(ValueError):
    """The text is not a path; the message shows where it stops being one."""


@frozen
class _All:
    pass


Segment = str | int | _All


@functools.lru_cache(maxsize=4096)
def parse_path(text: str) -> tuple[Segment, ...]:
    """Split a path into keys and indexes.

    Raises:
        PathError: the text is not a path.
    """
    if text.startswith("$") and not text.startswith("${"):
        text = text[1:].removeprefix(".")
    segments: list[Segment] = []
    at = 0
    while at < len(text):
        found = _SEGMENT.match(text, at)
        bare_key_without_dot = (
            found is not None and found["key"] is not None and segments and not found["dot"]
        )
        if found is None or (at == 0 and found["dot"]) or bare_key_without_dot:
            raise PathError(f"not a path: {text!r} stops making sense at {text[at:]!r}")
        segments.append(_segment(found))
        at = found.end()
    return tuple(segments)


def _segment(found: re.Match[str]) -> Segment:
    if found["index"] is not None:
        return int(found["index"])
    if found["all"] is not None:
        return _All()
    return next(text for text in (found["key"], found["quoted"], found["single"]) if text is not None)


def select(value: Any, path: str) -> Any:
    """The part of `value` at `path`, or `NOTHING`. `[*]` gives a list of what is under every element."""
    return _select(value, parse_path(path))


def _select(value: Any, segments: tuple[Segment, ...]) -> Any:
    if not segments:
        return value
    head, rest = segments[0], segments[1:]
    if isinstance(head, _All):
        if not isinstance(value, list):
            return NOTHING
        found = (_select(element, rest) for element in value)
        return [element for element in found if element is not NOTHING]
    if isinstance(head, int):
        inside = isinstance(value, list) and -len(value) <= head < len(value)
        return _select(value[head], rest) if inside else NOTHING
    return _select(value[head], rest) if isinstance(value, dict) and head in value else NOTHING
