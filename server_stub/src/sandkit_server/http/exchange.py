"""One request and its answer, as plain values.

Every body here is small and complete, so an answer is a value that stages return, not a stream they write
to. That keeps the stages free of ASGI: only ``application`` speaks it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

__all__ = ["JSON", "TEXT", "Answer", "Handler", "Headers", "Request"]

JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"

Headers: TypeAlias = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class Request:
    """What a client sent.

    Header names are lower case and path parameters percent-decoded. The body is read when asked for.

    Attributes:
        id: Id of this exchange, in every answer and log line about it.
        method: Upper case, never HEAD: an answer to HEAD is the answer to GET without its body.
        path: Percent-encoded path without the query, as it was sent.
        query: The query string as it was sent, without the question mark.
        parameters: Path parameters by the name in the route's template.
        read_body: Reads the body, within the limits of the listener; raises
            :class:`~sandkit_server.core.errors.SandkitError`.
    """

    id: str
    method: str
    path: str
    query: bytes
    headers: Headers
    parameters: Mapping[str, str]
    read_body: Callable[[], Awaitable[bytes]] = field(repr=False)

    def header(self, name: bytes) -> list[bytes]:
        """All values of a header, in the order sent; ``name`` in lower case."""
        return [value for key, value in self.headers if key == name]


class Answer(NamedTuple):
    """What goes back.

    ``headers`` hold names in lower case and never content-type, content-length or x-request-id.
    """

    status: int
    body: bytes = b""
    content_type: bytes | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()


Handler: TypeAlias = Callable[[Request], Awaitable[Answer]]
