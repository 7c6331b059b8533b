"""From what came back to a value or an exception."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from sandkit._core import errors
from sandkit._core.error_body import BODY_LIMIT, error_for, read_answer
from sandkit._core.request import REQUEST_ID_HEADER, Outgoing
from sandkit._core.retry import UNCERTAIN
from sandkit._generated.decoding import UnexpectedBody

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Received:
    """An answer as it came.

    Attributes:
        status: The HTTP status.
        headers: Header values by lower-case name.
        content: The body; of an error answer its beginning.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """A decoded answer.

    Attributes:
        value: What the body said.
        request_id: The X-Request-ID of the exchange.
    """

    value: T
    request_id: str


Parse = Callable[[int, Mapping[str, str], bytes], T]


def is_success(status: int) -> bool:
    """Whether the status is one of success."""
    return 200 <= status < 300


def decoded(received: Received, outgoing: Outgoing, parse: Parse[T], attempts: int) -> Answer[T]:
    """The value of an answer.

    Raises:
        ApiError: The status is not one of success.
        ResponseDecodeError: It is, but the body does not follow the contract.
    """
    attempted = outgoing.attempted(attempts)
    request_id = received.headers.get(REQUEST_ID_HEADER) or outgoing.request_id
    if not is_success(received.status):
        error = error_for(read_answer(received.status, received.headers, received.content), attempted)
        error.maybe_applied = not outgoing.operation.safe and received.status in UNCERTAIN
        raise error
    try:
        _refuse_page(received)
        return Answer(parse(received.status, received.headers, received.content), request_id)
    except UnexpectedBody as problem:
        text = received.content[:BODY_LIMIT].decode("utf-8", "replace")
        unreadable = errors.ResponseDecodeError(
            problem.message, attempted, received.status, problem.pointer, text
        )
        unreadable.maybe_applied = not outgoing.operation.safe
        raise unreadable from problem


def _refuse_page(received: Received) -> None:
    """A web page is what a portal or gateway says, never the API, also with a status of success."""
    if received.headers.get("content-type", "").partition(";")[0].strip().lower() == "text/html":
        raise UnexpectedBody("", "it is an HTML page, probably by a gateway before the server")
