"""The one exception the core raises on purpose, and the field errors it may carry.

Every code comes from the generated error table, which also fixes its status and whether a retry helps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sandkit_server._generated.errors import ERRORS, ErrorCode

__all__ = ["ErrorCode", "FieldError", "Killed", "SandkitError", "StartError", "invalid_request"]


@dataclass(frozen=True, slots=True)
class FieldError:
    """One broken rule.

    ``pointer`` is an RFC 6901 pointer into the body, or ``query:name``, ``path:name``, ``header:name`` for a
    parameter. ``rule`` is a short stable name. ``code`` is the error code this rule alone would be answered
    with.
    """

    pointer: str
    rule: str
    message: str
    code: ErrorCode = ErrorCode.REQUEST_INVALID_PARAMETER


class SandkitError(Exception):
    """An answer other than success, in the API's own terms.

    Attributes:
        code: Key into the error table; status and remedy follow from it.
        message: What happened, for a person; never holds a secret.
        details: Every field error found, in the order of the request.
        retry_after: Seconds after which a retry may succeed, for codes that say so.
    """

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        *,
        details: Sequence[FieldError] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.details = tuple(details)
        self.retry_after = retry_after

    @property
    def status(self) -> int:
        """The HTTP status the code is answered with."""
        return ERRORS[self.code].status


def invalid_request(errors: Sequence[FieldError]) -> SandkitError:
    """One error for all broken rules: their common code, or the general one when they differ."""
    codes = {error.code for error in errors}
    code = codes.pop() if len(codes) == 1 else ErrorCode.REQUEST_INVALID_PARAMETER
    first = errors[0].message
    more = f" (and {len(errors) - 1} more, see details)" if len(errors) > 1 else ""
    return SandkitError(code, f"{first}{more}", details=errors)


class StartError(Exception):
    """The engine cannot be worked with as things are; the text says what is wrong and what to do about it."""


class Killed(BaseException):
    """The server this call ran in was killed (simulated).

    Nothing may be cleaned up, no answer may be sent.
    """
