"""Numbers for values: whatever is equal gets the same small number, so that states are tuples of numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sandkit_server.core.port_errors import Exhausted, Forbidden, PortError


class Values:
    """Values that programs are given: objects, lists of them, refusals, instants, ``None``."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._values: list[Any] = []

    def number(self, value: Any) -> int:
        """The number of ``value``, from 0."""
        text = canonical(value)
        number = self._numbers.get(text)
        if number is None:
            number = self._numbers[text] = len(self._values)
            self._values.append(value)
        return number

    def __getitem__(self, number: int) -> Any:
        return self._values[number]


def canonical(value: Any) -> str:
    """A text that two values share exactly if they are equal."""
    return json.dumps(value, sort_keys=True, default=_plain, separators=(",", ":"))


def raised_anew(error: PortError) -> PortError:
    """A copy without the traceback of where the error was raised before."""
    copy = error.__class__.__new__(error.__class__)
    copy.args = error.args
    copy.__dict__.update(error.__dict__)
    return copy


def _plain(value: Any) -> Any:
    if isinstance(value, PortError):
        return {"error": type(value).__name__, **_details(value)}
    if isinstance(value, datetime):
        return {"instant": value.isoformat()}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (tuple, frozenset, set)):
        return list(value)
    raise TypeError(f"{type(value).__name__} is nothing a program can be given")


def _details(error: PortError) -> dict[str, Any]:
    """What callers tell apart; the message is for people."""
    if isinstance(error, Forbidden):
        return {"verb": error.verb, "resource": error.resource}
    return {"what": error.what} if isinstance(error, Exhausted) else {}
