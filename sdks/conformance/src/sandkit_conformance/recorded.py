"""Reads a trace back: a whole and untouched one, or an error that says where it stops being that."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from sandkit_conformance.failures import SuiteError
from sandkit_conformance.trace import FORMAT, TraceEvent, seal_of

_FIELDS: Final[dict[str, type | tuple[type, ...]]] = {
    "seq": int,
    "seconds": (int, float),
    "scenario": str,
    "step": str,
    "kind": str,
}


class BadTraceError(SuiteError):
    """The file is no trace, was cut off, or was changed after the run."""


@frozen
class RecordedRun:
    """A trace: what the run was asked to do, everything that happened, and how it ended."""

    start: dict[str, Any]
    events: tuple[TraceEvent, ...]
    end: dict[str, Any]


def read_trace(path: Path, *, sealed: bool = True) -> RecordedRun:
    """Read a trace. With `sealed` False a trace that was edited on purpose is read, too.

    Raises:
        BadTraceError: it cannot be read, is no trace, is not complete, or its seal is broken.
    """
    try:
        lines = _lines(path)
    except OSError as error:
        raise BadTraceError(f"cannot read the trace {path}: {error.strerror or error}") from error
    events = tuple(_events(path, lines))
    start, end = events[0], events[-1]
    if start.kind != "run" or start.data.get("format") != FORMAT:
        raise BadTraceError(f"{path}:1: this is no trace of the format {FORMAT}")
    if end.kind != "end":
        raise BadTraceError(
            f"{path}:{len(lines)}: the trace stops here, without its last line: the run was killed, or the "
            "file was cut off; nothing can be concluded from a part"
        )
    if sealed and seal_of(lines[:-1]) != end.data.get("seal"):
        raise BadTraceError(
            f"{path}: the trace was changed after the run: its seal is broken; "
            "--edited looks at what follows from it nevertheless"
        )
    return RecordedRun(start.data, events, end.data)


def _lines(path: Path) -> list[bytes]:
    return [line + b"\n" for line in path.read_bytes().removesuffix(b"\n").split(b"\n")]


def _events(path: Path, lines: list[bytes]) -> Iterator[TraceEvent]:
    for number, line in enumerate(lines, 1):
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError) as error:
            last = " (the last line: was the file cut off?)" if number == len(lines) else ""
            raise BadTraceError(f"{path}:{number}: this is not JSON{last}") from error
        if not isinstance(fields, dict) or not all(
            isinstance(fields.get(name), kind) for name, kind in _FIELDS.items()
        ):
            raise BadTraceError(f"{path}:{number}: this is no event of a trace")
        if fields["seq"] != number:
            raise BadTraceError(f"{path}:{number}: event {number} is missing; here is {fields['seq']}")
        data = {name: value for name, value in fields.items() if name not in _FIELDS}
        yield TraceEvent(**{name: fields[name] for name in _FIELDS}, data=data)
