"""The API key: one header, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from typing import Final
from urllib.parse import urlsplit

from sandkit_server.core.errors import ErrorCode, SandkitError
from sandkit_server.core.model import Caller
from sandkit_server.http.exchange import Headers

__all__ = ["API_KEY_HEADER", "KeyCheck"]

API_KEY_HEADER: Final = "OPEN-SANDBOX-API-KEY"

# What names the site a request is sent to, and the one whose page sends it.
_SITES: Final = (b"host", b"origin")


class KeyCheck:
    """Admits requests that carry ``key``, once, in ``header``.

    Without a key everybody on this machine is admitted, but no web page: a page of another site can make the
    browser of this machine's user send requests here (cross-site requests, DNS rebinding). The browser then
    names that site in Host or Origin, so both have to name this machine where they are there.

    Attributes:
        caller: Who an admitted request comes from. Its ``key_id`` is derived from the key one way, so that
            it is the same on every server with this key and tells nothing about it.
    """

    def __init__(self, header: str, key: str | None) -> None:
        if key is not None and not key:
            raise ValueError("an API key is never empty; pass None for no key")
        self._header = header
        self._name = header.lower().encode("ascii")
        self._key = None if key is None else key.encode("utf-8")
        digest = hashlib.blake2b(self._key or b"", digest_size=16, person=b"sandkit-key-id")
        self.caller = Caller(key_id="anonymous" if key is None else digest.hexdigest())

    def admit(self, headers: Headers) -> None:
        """Return for a good key.

        Raises:
            SandkitError: REQUEST::UNAUTHORIZED for a missing, empty, repeated or wrong one;
                REQUEST::FORBIDDEN for another site's page where there is no key.
        """
        if self._key is None:
            _admit_local(headers)
            return
        presented = [value for name, value in headers if name == self._name]
        if not presented:
            raise self._refusal("is missing")
        if len(presented) > 1:
            raise self._refusal("was sent more than once")
        if not presented[0]:
            raise self._refusal("is empty")
        if not hmac.compare_digest(presented[0], self._key):
            raise self._refusal("does not hold a key this server knows")

    def _refusal(self, trouble: str) -> SandkitError:
        return SandkitError(ErrorCode.REQUEST_UNAUTHORIZED, f"The {self._header} header {trouble}.")


def _admit_local(headers: Headers) -> None:
    for name, value in headers:
        if name in _SITES and not _is_this_machine(name, value.decode("latin-1")):
            raise SandkitError(
                ErrorCode.REQUEST_FORBIDDEN,
                "A server without an API key answers requests to localhost only, none of other sites' pages. "
                "Address it as localhost or 127.0.0.1, or give it a key.",
            )


def _is_this_machine(name: bytes, value: str) -> bool:
    if not value:
        return True
    try:
        host = urlsplit(value if name == b"origin" else f"//{value}").hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
