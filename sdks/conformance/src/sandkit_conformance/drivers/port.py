"""What a driver is: it performs one call and says everything that happened."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final, Literal, Protocol

from attrs import field, frozen

from sandkit_conformance.scenario.paths import NOTHING

API_KEY_HEADER: Final = "OPEN-SANDBOX-API-KEY"
REQUEST_ID_HEADER: Final = "X-Request-ID"

FailureKind = Literal["unreachable", "timeout", "truncated", "too-large", "protocol", "decode"]
RAW_HTTP: Final = "http"


@frozen
class Call:
    """One request, ready to be sent. `path` starts at the server's root; `timeout` is seconds for all of it.

    `operation` and `parameters` say the same in the spec's terms, for drivers that do not speak HTTP.
    """

    method: str
    path: str
    timeout: float
    operation: str | None = None
    parameters: Mapping[str, Any] = field(factory=dict)
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    content: bytes | None = None


@frozen
class TransportFailure:
    """Why there is no complete answer."""

    kind: FailureKind
    message: str


@frozen
class Exchange:
    """A call and what came back. Times are monotonic seconds; `at` is the wall clock (RFC 3339).

    `via` is the driver that made it; `raw_because` says why a call took raw HTTP although there is a driver.
    `echoes` says what of the suite's the answer gives away: `key`, `secret`.
    """

    call: Call
    url: str
    at: str
    started: float
    ended: float
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    failure: TransportFailure | None = None
    via: str = RAW_HTTP
    raw_because: str = ""
    echoes: frozenset[str] = frozenset()

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.started

    @property
    def text(self) -> str:
        """The body as text; bytes that are no UTF-8 are replaced."""
        return self.body.decode("utf-8", "replace")

    @cached_property
    def json(self) -> Any:
        """The body as JSON, or `NOTHING` when it is not JSON in UTF-8."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return NOTHING

    @cached_property
    def header_map(self) -> dict[str, str]:
        """Headers by lower-case name; the last of several wins."""
        return {name.lower(): value for name, value in self.headers}

    @property
    def request_id(self) -> str | None:
        """The server's request id."""
        return self.header_map.get(REQUEST_ID_HEADER.lower())

    @property
    def ok(self) -> bool:
        """A complete answer in 2xx."""
        return self.failure is None and self.status is not None and 200 <= self.status < 300

    @cached_property
    def code(self) -> str | None:
        """The envelope's code, when there is an envelope."""
        body = self.json
        code = body.get("code") if isinstance(body, dict) else None
        return code if isinstance(code, str) else None

    def outcome(self) -> str:
        """The answer in a few words."""
        if self.failure:
            return self.failure.message
        return f"{self.status} {self.code}" if self.code else f"{self.status}"


class Driver(Protocol):
    """Performs calls. Never raises for what the server does: every failure is in the exchange."""

    @property
    def name(self) -> str:
        """Name for reports."""
        ...

    async def perform(self, call: Call) -> Exchange:
        """Send one call once; nothing is retried, redirects are answers."""
        ...

    async def aclose(self) -> None:
        """Let go of connections."""
        ...
