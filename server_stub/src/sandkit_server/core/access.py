"""Tokens for the ports of sandboxes: bound to sandbox, port and, if wanted, an instant."""

from __future__ import annotations

import hashlib
import hmac

from sandkit_server.core.errors import ErrorCode, SandkitError

TOKEN_HEADER = "sandkit-access-token"  # noqa: S105 - the name of a header


class AccessTokens:
    """Makes and checks the tokens of one secret; servers with the same one take each other's."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def headers(self, sandbox_id: str, port: int, expires: int = 0) -> dict[str, str]:
        """What a request to the port has to carry until ``expires``, in epoch seconds; 0 for ever."""
        return {TOKEN_HEADER: f"{expires}.{self._mac(sandbox_id, port, expires)}"}

    def admit(self, token: str | None, sandbox_id: str, port: int, now: float, *, required: bool) -> None:
        """Raise SandkitError unless whoever sent ``token`` may use the port.

        None is needed where it is not ``required``, but one that is sent has to be valid.
        """
        if token is None:
            if required:
                message = f"This port asks for the {TOKEN_HEADER} header its endpoint came with."
                raise SandkitError(ErrorCode.REQUEST_UNAUTHORIZED, message)
            return
        if not self._is_valid(token, sandbox_id, port, now):
            message = "The access token is not valid for this port, or has expired."
            raise SandkitError(ErrorCode.REQUEST_FORBIDDEN, message)

    def _is_valid(self, token: str, sandbox_id: str, port: int, now: float) -> bool:
        expires, _, mac = token.partition(".")
        if not (expires.isascii() and expires.isdigit() and len(expires) < 20):
            return False
        if not hmac.compare_digest(mac.encode(), self._mac(sandbox_id, port, int(expires)).encode()):
            return False
        return int(expires) == 0 or int(expires) > now

    def _mac(self, sandbox_id: str, port: int, expires: int) -> str:
        return hmac.new(self._secret, f"{sandbox_id}\n{port}\n{expires}".encode(), hashlib.sha256).hexdigest()
