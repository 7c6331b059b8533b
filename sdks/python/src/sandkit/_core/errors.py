"""The exceptions; their tree is drawn in `sandkit.errors`, which is where users find them."""

from __future__ import annotations

from collections.abc import Mapping

from sandkit._core.accounts import Attempted, ErrorAnswer, ErrorDetail, Observation, WaitReport
from sandkit._core.error_table import describe


class SandkitError(Exception):
    """The root: catch it to catch everything sandkit raises on purpose."""


class ConfigurationError(SandkitError, ValueError):
    """A constructor argument or an environment variable is missing or malformed; the message says which."""


class ClientClosedError(SandkitError, RuntimeError):
    """The client, or the client behind a bound object, has been closed."""


class RequestError(SandkitError):
    """Base of the errors about one request.

    Attributes:
        attempted: Which request.
        maybe_applied: Whether the request may have taken effect although it failed. Always false for reads.
    """

    def __init__(self, problem: object, attempted: Attempted) -> None:
        super().__init__(problem, attempted)
        self.attempted = attempted
        self.maybe_applied = False

    @property
    def request_id(self) -> str:
        """The X-Request-ID of the exchange; quote it to the server's operator."""
        return self.attempted.request_id

    @property
    def operation_id(self) -> str:
        """The operation of the API, such as `createSandbox`."""
        return self.attempted.operation_id

    @property
    def attempts(self) -> int:
        """How often the request was sent, or tried to be sent."""
        return self.attempted.attempts

    def _where(self) -> str:
        tries = f", {self.attempts} attempts" if self.attempts > 1 else ""
        return f"[{self.operation_id}, request id {self.request_id}{tries}]"


class ApiError(RequestError):
    """The server answered with a status outside 2xx.

    Raised itself for a status that has no class of its own.
    """

    def __init__(self, answer: ErrorAnswer, attempted: Attempted) -> None:
        super().__init__(answer, attempted)
        self.answer = answer

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.answer.status

    @property
    def code(self) -> str | None:
        """`AREA::NAME`, or None when the body is not an error body of the API."""
        return self.answer.code

    @property
    def message(self) -> str:
        """The server's message."""
        return self.answer.message

    @property
    def details(self) -> tuple[ErrorDetail, ...]:
        """The fields at fault."""
        return self.answer.details

    @property
    def headers(self) -> Mapping[str, str]:
        """Header values of the answer by lower-case name."""
        return self.answer.headers

    @property
    def body(self) -> str:
        """The body as text, cut when it is very long."""
        return self.answer.body

    @property
    def retry_after(self) -> float | None:
        """Seconds the server asks to wait before the next attempt, or None."""
        return self.answer.retry_after

    @property
    def remedy(self) -> str | None:
        """What to do about this code, or None for a code this version does not know."""
        descriptor = describe(self.code, self.status)
        return descriptor.remedy if descriptor else None

    @property
    def request_id(self) -> str:
        """The X-Request-ID of the answer, else the one that was sent."""
        return self.headers.get("x-request-id") or self.attempted.request_id

    def __str__(self) -> str:
        lines = [f"{self.status} {self.code or '(no code)'}: {self.message} {self._where()}"]
        lines += [f"  {detail.pointer}: {detail.message} ({detail.rule})" for detail in self.details]
        if self.remedy:
            lines.append(f"  {self.remedy}")
        return "\n".join(lines)


class BadRequestError(ApiError):
    """400 or 422: the request breaks the contract and nothing was done; `details` names the fields."""


class UnauthorizedError(ApiError):
    """401: the API key is missing or not one the server knows."""


class ForbiddenError(ApiError):
    """403: the API key may not do this."""


class QuotaExceededError(ForbiddenError):
    """403: a quota of the caller or of the cluster would be exceeded."""


class NotFoundError(ApiError):
    """404: there is no such sandbox, snapshot, pool or port."""


class ConflictError(ApiError):
    """409: it is there, but its state or its owner does not allow this."""


class InvalidStateError(ConflictError):
    """409: a sandbox or snapshot is in a state that does not allow the operation."""


class PayloadTooLargeError(ApiError):
    """413: the body is larger than the server accepts."""


class UnsupportedMediaTypeError(ApiError):
    """415: something between client and server changed the body's type or encoding."""


class RateLimitedError(ApiError):
    """429: too much at once; `retry_after` says when to come back."""


class CapacityExhaustedError(RateLimitedError):
    """429: the pool has no warm sandbox to give right now."""


class ServerError(ApiError):
    """5xx: the server, or a gateway before it, failed."""


class NotSupportedError(ServerError):
    """501: the runtime behind this server cannot do this at all; nothing was changed."""


class UnavailableError(ServerError):
    """503: the server or the engine behind it cannot answer right now."""


class TransportError(RequestError):
    """No complete answer arrived; `maybe_applied` says whether the request may have taken effect."""

    def __str__(self) -> str:
        maybe = " The request may have taken effect." if self.maybe_applied else ""
        return f"{self.args[0]}{maybe} {self._where()}"


class ConnectError(TransportError):
    """No connection could be made, so nothing was sent: name resolution, TCP, TLS or proxy failed."""


class RequestTimeoutError(TransportError, TimeoutError):
    """The time allowed for one attempt ran out while connecting, sending or reading."""


class ResponseDecodeError(RequestError):
    """An answer with a status of success whose body does not follow the contract.

    Attributes:
        status: The HTTP status.
        pointer: Where in the body (RFC 6901); empty for the whole.
        body: The body as text, cut when it is very long.
    """

    def __init__(self, problem: str, attempted: Attempted, status: int, pointer: str, body: str) -> None:
        super().__init__(problem, attempted)
        self.args = (problem, attempted, status, pointer, body)
        self.status = status
        self.pointer = pointer
        self.body = body

    def __repr__(self) -> str:
        # The body may hold what only its caller may see, such as the headers of an endpoint.
        return f"ResponseDecodeError({self.args[0]!r}, status={self.status}, pointer={self.pointer!r})"

    def __str__(self) -> str:
        where = f" at {self.pointer}" if self.pointer else ""
        return (
            f"the {self.status} answer does not follow the contract{where}: {self.args[0]} {self._where()}\n"
            "  Check that the base URL leads to a lifecycle API and that no gateway answers in its place."
        )


class WaitError(SandkitError):
    """A wait ended without the awaited state. The cause of the last failed poll, if any, is chained."""

    def __init__(self, report: WaitReport) -> None:
        super().__init__(report)
        self.report = report

    @property
    def last(self) -> Observation | None:
        """The last state seen, or None when no poll succeeded."""
        return self.report.trajectory[-1] if self.report.trajectory else None

    @property
    def state(self) -> str | None:
        """The last state seen."""
        return self.last.state if self.last else None

    @property
    def reason(self) -> str | None:
        """The server's short word for the last state, if any."""
        return self.last.reason if self.last else None

    @property
    def message(self) -> str | None:
        """The server's message about the last state, if any."""
        return self.last.message if self.last else None

    @property
    def request_id(self) -> str | None:
        """The X-Request-ID of the last successful poll."""
        return self.last.request_id if self.last else None

    @property
    def trajectory(self) -> tuple[Observation, ...]:
        """Every change of state that was seen, in order."""
        return self.report.trajectory

    def __str__(self) -> str:
        report = self.report
        wanted = " or ".join(report.targets)
        lines = [f"{report.kind} {report.id} did not become {wanted}: {report.problem}"]
        if self.last:
            seen = " → ".join(f"{entry.state} ({entry.elapsed:.1f} s)" for entry in report.trajectory)
            lines.append(f"  seen: {seen}; last request id {self.request_id or 'unknown'}")
            why = ": ".join(part for part in (self.reason, self.message) if part)
            lines += [f"  the server says: {why}"] if why else []
        return "\n".join(lines)


class WaitTimeoutError(WaitError, TimeoutError):
    """The total time of a wait ran out."""


class UnexpectedStateError(WaitError):
    """The awaited state cannot come any more, or only if somebody asks for it."""
