"""The id of one exchange: the client's own when it sent a sane one, else a fresh one."""

from __future__ import annotations

import os
import re
from typing import Final

from sandkit_server.http.exchange import Headers

__all__ = ["HEADER", "fresh_id", "request_id"]

HEADER: Final = b"x-request-id"

# Letters, digits and ._~:/+=- only: nothing that could end a header, a log line or a quoted string.
_SANE: Final = re.compile(rb"[A-Za-z0-9._~:/+=-]{1,128}\Z")


def request_id(headers: Headers) -> str:
    """The first ``X-Request-ID`` if it is sane (see the API's description), else 32 random hex digits."""
    for name, value in headers:
        if name == HEADER:
            if _SANE.match(value):
                return value.decode("ascii")
            break
    return fresh_id()


def fresh_id() -> str:
    """A new id: 32 random hex digits."""
    return os.urandom(16).hex()
