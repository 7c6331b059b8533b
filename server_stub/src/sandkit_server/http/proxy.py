"""The way to a sandbox's own ports through this server: ``GET /sandboxes/{id}/proxy/{port}/{path}``.

It is not an operation of the API but what the endpoint operation's addresses lead to, so it is not in the
OpenAPI document. It asks for no API key, as whoever holds the address of a sandbox may use it; a sandbox
with ``secureAccess`` asks for the header that the endpoint operation told. Only a sandbox's own answers
pass; errors of this server keep the envelope.
"""

from __future__ import annotations

import re
from typing import Final

from sandkit_server.core.errors import ErrorCode, FieldError, invalid_request
from sandkit_server.core.observation import DataPlane
from sandkit_server.http.exchange import TEXT, Answer, Request
from sandkit_server.http.routing import Route

__all__ = ["proxy_routes"]

_PORT: Final = re.compile(r"[1-9][0-9]{0,4}\Z")
_MAX_PORT: Final = 65535

# What belongs to one connection and is never passed on (RFC 9110, 7.6.1), and what this server sets itself.
_OWN: Final = frozenset(
    {
        "cache-control",
        "connection",
        "content-length",
        "content-type",
        "date",
        "keep-alive",
        "transfer-encoding",
        "upgrade",
        "x-request-id",
    }
)


def proxy_routes(data_plane: DataPlane) -> list[Route]:
    """Routes for a port's root, with and without a slash, and everything below it."""

    async def pass_on(request: Request) -> Answer:
        port = request.parameters["port"]
        if _PORT.match(port) is None or int(port) > _MAX_PORT:
            raise invalid_request(
                [
                    FieldError(
                        "path:port", "maximum", "Give a port from 1 to 65535.", ErrorCode.SANDBOX_INVALID_PORT
                    )
                ]
            )
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers}
        target = "/" + request.parameters.get("path", "")
        if request.query:
            target += "?" + request.query.decode("latin-1")
        answer = await data_plane.handle(request.parameters["sandboxId"], int(port), target, headers)
        kept = {name.lower(): value for name, value in answer.headers.items()}
        content_type = kept.get("content-type")
        return Answer(
            answer.status,
            answer.body,
            TEXT if content_type is None else content_type.encode("latin-1"),
            tuple(
                (name.encode("latin-1"), value.encode("latin-1"))
                for name, value in kept.items()
                if name not in _OWN
            ),
        )

    base = "/sandboxes/{sandboxId}/proxy/{port}"
    return [Route("GET", path, pass_on, secured=False) for path in (base, base + "/{path...}")]
