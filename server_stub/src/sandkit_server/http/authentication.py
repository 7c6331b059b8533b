"""The API key: one header, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from sandkit_server.core.errors import ErrorCode, SandkitError
from sandkit_server.core.model import Caller
from sandkit_server.http.exchange import Headers

__all__ = ["API_KEY_HEADER", "KeyCheck"]

API_KEY_HEADER: Final = "OPEN-SANDBOX-API-KEY"


class KeyCheck:
    """Admits requests that carry ``key``, once, in ``header``; without a key everybody is admitted.

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
            SandkitError: REQUEST::UNAUTHORIZED for a missing, empty, repeated or wrong one.
        """
        if self._key is None:
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
