"""Requests and answers on their way through the proxy, and what a proxy does with them."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from attrs import evolve, frozen

Headers = tuple[tuple[bytes, bytes], ...]


@frozen
class Request:
    """What the client sent; `target` is path and query, percent-encoded. Header names are lower case."""

    method: str
    target: bytes
    headers: Headers
    body: bytes = b""

    @property
    def path(self) -> str:
        """The path, percent-encoded."""
        return self.target.partition(b"?")[0].decode("latin-1")

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header; None without one."""
        return next((value for key, value in self.headers if key == name), None)

    def without(self, name: bytes) -> Request:
        """The same without a header."""
        return evolve(self, headers=_without(self.headers, name))

    def having(self, name: bytes, value: bytes) -> Request:
        """The same with a header set."""
        return evolve(self, headers=(*_without(self.headers, name), (name, value)))

    def is_for(self, method: str, pattern: str) -> bool:
        """Whether it is `method` on a path that ends in `pattern`, a regular expression."""
        return self.method == method and re.search(f"{pattern}$", self.path) is not None


@frozen
class Reply:
    """What goes back. Of a reply that is `cut` only so many bytes of the body are sent before the end."""

    status: int
    headers: Headers
    body: bytes = b""
    cut: int | None = None

    @property
    def ok(self) -> bool:
        """Whether it is a success."""
        return 200 <= self.status < 300

    @property
    def json(self) -> Any:
        """The body's JSON; None when there is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header; None without one."""
        return next((value for key, value in self.headers if key == name), None)

    def without(self, name: bytes) -> Reply:
        """The same without a header."""
        return evolve(self, headers=_without(self.headers, name))

    def having(self, name: bytes, value: bytes) -> Reply:
        """The same with a header set."""
        return evolve(self, headers=(*_without(self.headers, name), (name, value)))

    def saying(self, status: int, content_type: bytes, body: bytes) -> Reply:
        """The same with another status and body."""
        return evolve(self.having(b"content-type", content_type), status=status, body=body)


def _without(headers: Headers, name: bytes) -> Headers:
    return tuple((key, value) for key, value in headers if key != name)


Forward = Callable[[Request], Awaitable[Reply]]
Behaviour = Callable[[Request, Forward], Awaitable[Reply]]
"""What a proxy makes of one exchange: it may forward the request, as often as it likes, and answers."""
