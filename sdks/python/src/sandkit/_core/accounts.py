"""What an error is about: plain facts, carried by the exceptions and written to the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ErrorDetail:
    """One field at fault.

    Attributes:
        pointer: JSON Pointer (RFC 6901) into the body, or `query:NAME`, `path:NAME`, `header:NAME`.
        rule: The broken rule as a short word.
        message: What is wrong, for people.
    """

    pointer: str
    rule: str
    message: str


@dataclass(frozen=True, slots=True)
class Attempted:
    """Which request an error is about.

    Attributes:
        operation_id: The operation of the API, such as `createSandbox`.
        method: The HTTP method.
        url: The address without its query.
        request_id: What was sent as X-Request-ID, on every attempt.
        attempts: How often the request was sent, or tried to be sent.
    """

    operation_id: str
    method: str
    url: str
    request_id: str
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """An answer outside 2xx, taken apart as far as that was possible.

    Attributes:
        status: The HTTP status.
        code: `AREA::NAME`, or None when the body is not an error body of the API.
        message: The server's message, or what can be said about the answer without one.
        details: The fields at fault.
        headers: Header values by lower-case name.
        body: The body as text, cut after `error_body.BODY_LIMIT` bytes.
        retry_after: Seconds the server asks to wait, from Retry-After (RFC 9110, 10.2.3), or None.
    """

    status: int
    code: str | None
    message: str
    details: tuple[ErrorDetail, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: str = field(default="", repr=False)
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """A state a wait has seen.

    Attributes:
        elapsed: Seconds since the wait began.
        state: The state, as the server named it.
        reason: The server's short word for why, if any.
        message: The same for people, if any.
        request_id: The X-Request-ID of the answer that told.
        since: When the state was entered, if the server tells.
    """

    elapsed: float
    state: str
    reason: str | None = None
    message: str | None = None
    request_id: str | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class WaitReport:
    """What a wait was for and what it saw.

    Attributes:
        kind: `sandbox` or `snapshot`.
        id: Which one.
        targets: The states waited for.
        elapsed: Seconds the wait took.
        trajectory: Every change of state that was seen, in order; the last one is how things stood in the
            end.
        problem: Why the wait ended.
    """

    kind: str
    id: str
    targets: tuple[str, ...]
    elapsed: float
    trajectory: tuple[Observation, ...]
    problem: str
