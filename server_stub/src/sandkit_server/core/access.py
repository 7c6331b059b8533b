"""Tokens for the ports of sandboxes: bound to sandbox, port and, if wanted, an instant."""

from __future__ import annotations

import hashlib
import hmac

TOKEN_HEADER = "sandkit-access-token"  # noqa: S105 - the name of a header


def sign(secret: bytes, sandbox_id: str, port: int, expires: int) -> str:
    """A token valid until ``expires``, in seconds since the epoch; 0 for ever."""
    return f"{expires}.{_mac(secret, sandbox_id, port, expires)}"


def is_valid(secret: bytes, token: str, sandbox_id: str, port: int, now: float) -> bool:
    """Whether ``token`` was made by :func:`sign` for this port and has not expired."""
    expires, _, mac = token.partition(".")
    if not (expires.isascii() and expires.isdigit() and len(expires) < 20):
        return False
    expected = _mac(secret, sandbox_id, port, int(expires))
    return hmac.compare_digest(mac.encode(), expected.encode()) and (int(expires) == 0 or int(expires) > now)


def _mac(secret: bytes, sandbox_id: str, port: int, expires: int) -> str:
    return hmac.new(secret, f"{sandbox_id}\n{port}\n{expires}".encode(), hashlib.sha256).hexdigest()
