"""The trace: everything that happened in a run, in order, already redacted; one JSON object per line.

It begins with what the run was asked to do (`run`) and ends with a seal over everything before it (`end`). In
between stands every observation a verdict rests on, so that `recheck` can come to the verdicts again without
any server.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable
from typing import Any, Final, TextIO

from attrs import define, field, frozen

from sandkit_conformance.drivers.port import Exchange
from sandkit_conformance.redaction import Redactor

FORMAT: Final = "sandkit-conformance-trace/1"
# What was sent is known to the suite anyway; what was answered is what verdicts rest on.
_SENT_LIMIT: Final = 64 * 1024
_ANSWER_LIMIT: Final = 1024 * 1024
_DIGITS: Final = 9


@frozen
class TraceEvent:
    """One thing that happened: `seconds` since the start of the run, where in the suite, and what."""

    seq: int
    seconds: float
    scenario: str
    step: str
    kind: str
    data: dict[str, Any]


@define
class Trace:
    """Collects events, and writes each at once so that a killed run leaves its evidence."""

    redactor: Redactor
    sink: TextIO | None = None
    now: Callable[[], float] = time.monotonic
    events: list[TraceEvent] = field(factory=list)
    started: float = field(init=False)
    _seal: Any = field(init=False, factory=hashlib.sha256)

    def __attrs_post_init__(self) -> None:
        self.started = self.now()

    def elapsed(self) -> float:
        """Seconds since the run started."""
        return self.now() - self.started

    def record(self, scenario: str, step: str, kind: str, **data: Any) -> None:
        """Write one event down."""
        clean, text = self.redactor.clean(data)
        event = TraceEvent(len(self.events) + 1, round(self.elapsed(), 6), scenario, step, kind, clean)
        self.events.append(event)
        if self.sink:
            fields = {
                "seq": event.seq,
                "seconds": event.seconds,
                "scenario": scenario,
                "step": step,
            }
            head = json.dumps({**fields, "kind": kind}, ensure_ascii=False)
            line = f"{head[:-1]}, {text[1:]}\n" if clean else f"{head}\n"
            self._seal.update(line.encode("utf-8", "backslashreplace"))
            self.sink.write(line)
            self.sink.flush()

    def end(self, **data: Any) -> None:
        """Write the last line, which seals the others: a trace without it was cut off or its run killed."""
        self.record("", "", "end", **data, seal=self._seal.hexdigest())

    def record_exchange(self, scenario: str, step: str, exchange: Exchange, purpose: str) -> None:
        """Write an exchange down: what was sent up to 64 KiB, what was answered up to 1 MiB, as text."""
        call, failure = exchange.call, exchange.failure
        more: dict[str, Any] = {"failureKind": failure.kind} if failure else {}
        more |= {"rawBecause": exchange.raw_because} if exchange.raw_because else {}
        more |= {"echoes": sorted(exchange.echoes)} if exchange.echoes else {}
        more |= {"cut": True} if len(exchange.body) > _ANSWER_LIMIT else {}
        more |= {"broken": True} if not _is_utf8(exchange.body) else {}
        self.record(
            scenario,
            step,
            "exchange",
            purpose=purpose,
            operation=call.operation,
            method=call.method,
            url=exchange.url,
            at=exchange.at,
            began=round(exchange.started - self.started, _DIGITS),
            took=round(exchange.seconds, _DIGITS),
            requestHeaders=self.redactor.headers(call.headers),
            requestBody=sent_text(call.content),
            status=exchange.status,
            headers=self.redactor.headers(exchange.headers),
            body=_shorten(exchange.body, _ANSWER_LIMIT),
            failure=failure.message if failure else None,
            via=exchange.via,
            **more,
        )


def sent_text(body: bytes | None) -> str | None:
    """A request's body the way the trace keeps it."""
    return None if body is None else _shorten(body, _SENT_LIMIT)


def _shorten(body: bytes, limit: int) -> str:
    text = body[:limit].decode("utf-8", "replace")
    return text if len(body) <= limit else f"{text}… ({len(body)} bytes)"


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def seal_of(lines: Iterable[bytes]) -> str:
    """The seal that stands in the last line of a trace with these lines, newlines included, before it."""
    seal = hashlib.sha256()
    for line in lines:
        seal.update(line)
    return seal.hexdigest()
