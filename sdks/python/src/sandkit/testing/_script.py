"""A transport that answers by a script."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import httpx

Step = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


class ScriptError(AssertionError):
    """A request came that the script has no step for."""


class ScriptedTransport(httpx.MockTransport):
    """Answers each request with the next step of a script, and keeps the requests.

    It serves `Client` and `AsyncClient` alike (`transport=…`).

    Args:
        *steps: What each request gets, in order: an answer (see `answer()`), an exception of httpx to
            raise, or a function from the request to an answer. The last step is not repeated.

    Attributes:
        requests: Every request that came, in order.
    """

    def __init__(self, *steps: Step) -> None:
        super().__init__(self._next)
        self._steps = list(steps)
        self.requests: list[httpx.Request] = []

    @property
    def finished(self) -> bool:
        """Whether every step has been used."""
        return not self._steps

    def _next(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if not self._steps:
            raise ScriptError(f"{request.method} {request.url} comes after the end of the script")
        step = self._steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step if isinstance(step, httpx.Response) else step(request)


def answer(status: int, body: Any = None, *, headers: Mapping[str, str] | None = None) -> httpx.Response:
    """An answer for a script.

    Args:
        status: The HTTP status.
        body: A JSON value; or text or bytes, sent as they are; or None for no body.
        headers: Headers of the answer.
    """
    if body is None:
        return httpx.Response(status, headers=headers)
    if isinstance(body, str | bytes):
        return httpx.Response(status, headers=headers, content=body)
    return httpx.Response(status, headers=headers, json=body)
