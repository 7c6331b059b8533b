"""ASGI on one side, requests and answers on the other; what holds for every exchange happens here.

Every exchange gets an id and exactly one answer: a handler's, an error's, or, for anything unforeseen, a
plain internal error whose cause goes to the log under the same id and never to the client.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from typing import Any, Final, TypeAlias

from sandkit_server.core.errors import ErrorCode, Killed, SandkitError
from sandkit_server.http.access_log import AccessLog
from sandkit_server.http.authentication import KeyCheck
from sandkit_server.http.body import BodyReader, ClientDisconnectedError, Receive
from sandkit_server.http.envelope import INTERNAL_ERROR, error_answer
from sandkit_server.http.exchange import Answer, Request
from sandkit_server.http.request_id import HEADER, request_id
from sandkit_server.http.routing import MethodNotAllowedError, Router

__all__ = ["Application", "Asgi"]

Scope: TypeAlias = MutableMapping[str, Any]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]

_logger: Final = logging.getLogger("sandkit_server.http")

# A shared cache knows nothing of our key header; it would give one caller's answer to the next (RFC 9111,
# 3.5).
_NOT_STORED: Final = (b"cache-control", b"no-store")

_SHUTTING_DOWN: Final = SandkitError(
    ErrorCode.REQUEST_UNAVAILABLE, "The server is shutting down; ask again in a moment.", retry_after=1
)


class Application:
    """The ASGI application of one listener.

    Attributes:
        router: Where requests go; may be replaced between two requests.
        draining: Once true, every new request is answered 503 with Retry-After; those under way finish.
    """

    def __init__(self, router: Router, keys: KeyCheck, bodies: BodyReader, log: AccessLog) -> None:
        self.router = router
        self._keys = keys
        self._bodies = bodies
        self._log = log
        self.draining = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP exchange, or the lifespan protocol, which has nothing to do here."""
        if scope["type"] == "http":
            await self._exchange(scope, receive, send)
        elif scope["type"] == "lifespan":
            await _lifespan(receive, send)
        else:
            raise RuntimeError(f"this application speaks HTTP, not {scope['type']}")

    async def _exchange(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        identifier = request_id(scope["headers"])
        path = _raw_path(scope)
        status: int | None = None
        try:
            answer = await self._answer(scope, path, identifier, receive)
            status = answer.status
            await _send(answer, identifier, send)
        except ClientDisconnectedError:
            _logger.debug("request %s: the client left before its request was complete", identifier)
        except Killed:
            # Its connection is cut as well; a process that is gone says nothing.
            _logger.debug("request %s: dropped, the server was killed", identifier)
        finally:
            if self._log.enabled():
                self._log.write(
                    request_id=identifier, method=scope["method"], path=path, status=status, started=started
                )

    async def _answer(self, scope: Scope, path: str, identifier: str, receive: Receive) -> Answer:
        try:
            return await self._serve(scope, path, identifier, receive)
        except MethodNotAllowedError as error:
            if error.method == "OPTIONS":
                return Answer(204, headers=((b"allow", ", ".join(error.allowed).encode("ascii")),))
            return error_answer(error)
        except SandkitError as error:
            if error.status >= 500:
                _logger.warning("request %s: %s", identifier, error)
            return error_answer(error)
        except ClientDisconnectedError:
            raise
        except asyncio.CancelledError:
            # The budget of a graceful shutdown is over. Whoever waits is told so; the task ends all the same.
            if not self.draining:
                raise
            return error_answer(_SHUTTING_DOWN)
        except Exception:  # the last line of defence: whatever it is, the client gets the envelope
            _logger.exception("request %s: unforeseen failure", identifier)
            return INTERNAL_ERROR

    async def _serve(self, scope: Scope, path: str, identifier: str, receive: Receive) -> Answer:
        if self.draining:
            raise _SHUTTING_DOWN
        method: str = scope["method"]
        headers = scope["headers"]
        route, parameters = self.router.match(method, path)
        if route.secured:
            self._keys.admit(headers)
        request = Request(
            id=identifier,
            method="GET" if method == "HEAD" else method,
            path=path,
            query=scope["query_string"],
            headers=headers,
            parameters=parameters,
            read_body=partial(self._bodies.read, headers, receive),
        )
        return await route.handler(request)


def _raw_path(scope: Scope) -> str:
    # Only the raw path tells an encoded slash from a real one; servers may leave it out.
    raw: bytes = scope.get("raw_path") or scope["path"].encode("utf-8")
    return raw.decode("ascii", "replace")


async def _send(answer: Answer, identifier: str, send: Send) -> None:
    headers = [(HEADER, identifier.encode("ascii")), _NOT_STORED, *answer.headers]
    if answer.content_type is not None:
        headers.append((b"content-type", answer.content_type))
    if answer.status != 204:
        headers.append((b"content-length", str(len(answer.body)).encode("ascii")))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
