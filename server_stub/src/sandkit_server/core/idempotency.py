"""Creates that can be repeated: the id follows from caller and key, a digest identifies the request.

Because the id is derived, the engine's own uniqueness of names makes a repeated create atomic on every
runtime, with any number of servers and after any crash. A key counts as long as what it created exists.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from sandkit_server.core.errors import ErrorCode, FieldError, SandkitError, invalid_request
from sandkit_server.core.model import Caller

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_ID_HEX_DIGITS = 32


def derived_id(prefix: str, caller: Caller, key: str, scope: str = "") -> str:
    """The id that belongs to ``key`` of ``caller`` within ``scope``; unguessable without knowing both."""
    if not _KEY.fullmatch(key):
        message = "Idempotency-Key has 1 to 255 printable ASCII characters without spaces."
        raise invalid_request([FieldError("header:Idempotency-Key", "pattern", message)])
    material = json.dumps([prefix, caller.key_id, scope, key]).encode()
    return f"{prefix}-{hashlib.sha256(material).hexdigest()[:_ID_HEX_DIGITS]}"


def request_digest(subject_id: str, request: object) -> str:
    """A digest of everything in ``request``, salted with the id so that equal requests are not linked."""
    material = json.dumps([subject_id, _plain(request)], sort_keys=True).encode()
    return hashlib.sha256(material).hexdigest()


def require_same(stored_digest: str, digest: str) -> None:
    """Raise unless the request that created the existing object is the one now repeated."""
    if stored_digest != digest:
        message = "This Idempotency-Key was used before with a different request; use a new key."
        raise SandkitError(ErrorCode.SANDBOX_IDEMPOTENCY_KEY_REUSED, message)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return value
