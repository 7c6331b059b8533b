"""The trace: everything that happened in a run, in order, already redacted; one JSON object per line."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, Final, TextIO

from attrs import define, field, frozen

from sandkit_conformance.drivers.port import Exchange
from sandkit_conformance.redaction import Redactor

_BODY_LIMIT: Final = 64 * 1024


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

    def __attrs_post_init__(self) -> None:
        self.started = self.now()

    def record(self, scenario: str, step: str, kind: str, **data: Any) -> None:
        """Write one event down."""
        clean, text = self.redactor.clean(data)
        event = TraceEvent(len(self.events) + 1, self.now() - self.started, scenario, step, kind, clean)
        self.events.append(event)
        if self.sink:
            fields = {
                "seq": event.seq,
                "seconds": round(event.seconds, 6),
                "scenario": scenario,
                "step": step,
            }
            head = json.dumps({**fields, "kind": kind}, ensure_ascii=False)
            self.sink.write(f"{head[:-1]}, {text[1:]}\n" if clean else f"{head}\n")
            self.sink.flush()

    def record_exchange(self, scenario: str, step: str, exchange: Exchange, purpose: str) -> None:
        """Write an exchange down, with its headers and bodies (bodies as text, shortened to 64 KiB)."""
        call = exchange.call
        self.record(
            scenario,
            step,
            "exchange",
            purpose=purpose,
            operation=call.operation,
            method=call.method,
            url=exchange.url,
            at=exchange.at,
            began=round(exchange.started - self.started, 6),
            took=round(exchange.seconds, 6),
            requestHeaders=self.redactor.headers(call.headers),
            requestBody=_shorten(call.content),
            status=exchange.status,
            headers=self.redactor.headers(exchange.headers),
            body=_shorten(exchange.body),
            failure=exchange.failure.message if exchange.failure else None,
            via=exchange.via,
            **({"rawBecause": exchange.raw_because} if exchange.raw_because else {}),
        )


def _shorten(body: bytes | None) -> str | None:
    if body is None:
        return None
    text = body[:_BODY_LIMIT].decode("utf-8", "replace")
    return text if len(body) <= _BODY_LIMIT else f"{text}… ({len(body)} bytes)"
