"""When a failed request is sent again, and after how long.

| failure | reads, deletes, renew, metadata, pool update | creates with a key | pause, resume, pool create |
|---|---|---|---|
| no connection, or none free | again | again | again |
| 408, 425, 429, 503: not carried out | again | again | again |
| no complete answer; 500, 502, 504 | again | again, if the server honours keys | never |
| any other status | never | never | never |

Where the error table knows the code, its `retryable` decides instead of the status. Delays are drawn
evenly between 0 and a limit that doubles with each attempt ("full jitter"), so that clients that failed
together do not come back together. Retry-After is obeyed up to a limit; when the server asks for more,
the error is raised at once, with the number in `retry_after`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from sandkit._core import errors
from sandkit._core.error_table import describe
from sandkit._generated.errors import Retryable
from sandkit._generated.exchange import Operation

NOT_CARRIED_OUT = frozenset({408, 425, 429, 503})
"""Statuses by which a server says that it has not acted on the request (RFC 9110, RFC 6585, RFC 8470)."""

UNCERTAIN = frozenset({500, 502, 504})
"""Statuses that leave open whether the request was acted on."""


_ABSOLUTE = frozenset({"patchSandboxMetadata", "renewSandboxExpiration"})
"""Operations whose body says how things are to be afterwards, so that a second time changes nothing more."""


class Repeatability(Enum):
    """What sending a request twice does."""

    HARMLESS = "harmless"
    """The same as sending it once."""
    KEYED = "keyed"
    """The same as sending it once, provided that the server honours its Idempotency-Key."""
    HARMFUL = "harmful"
    """Something else."""


def repeatability(operation: Operation) -> Repeatability:
    """What sending this operation twice does."""
    if operation.idempotent or operation.operation_id in _ABSOLUTE:
        return Repeatability.HARMLESS
    return Repeatability.KEYED if operation.idempotency_key else Repeatability.HARMFUL


@dataclass(frozen=True, slots=True)
class Again:
    """Send the request again.

    Attributes:
        delay: Seconds to wait before.
        only_with_key: Only if the server honours Idempotency-Key.
    """

    delay: float
    only_with_key: bool = False


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The numbers of the policy.

    Attributes:
        first_delay: Upper limit of the first delay, in seconds; doubles with each attempt.
        longest_delay: Upper limit of any delay of our own, in seconds.
        longest_retry_after: The longest Retry-After that is obeyed, in seconds.
    """

    first_delay: float = 0.5
    longest_delay: float = 8.0
    longest_retry_after: float = 60.0

    def back_off(self, attempt: int, draw: Callable[[], float]) -> float:
        """Seconds to wait after the given attempt, counted from 1; `draw` gives a number from 0 to 1."""
        return draw() * min(self.longest_delay, self.first_delay * 2.0 ** min(attempt - 1, 32))

    def decide(
        self, error: errors.RequestError, kind: Repeatability, draw: Callable[[], float]
    ) -> Again | None:
        """Whether to send again after this error; the number of attempts left is the caller's business.

        The error's `maybe_applied` counts for all attempts so far, not only for the last one.
        """
        if not worth_repeating(error):
            return None
        if error.maybe_applied and kind is Repeatability.HARMFUL:
            return None
        delay = self.back_off(error.attempts, draw)
        asked = error.retry_after if isinstance(error, errors.ApiError) else None
        if asked is not None:
            if asked > self.longest_retry_after:
                return None
            delay = max(asked, delay)
        return Again(delay, only_with_key=error.maybe_applied and kind is Repeatability.KEYED)


def worth_repeating(error: errors.RequestError) -> bool:
    """Whether the same request may succeed later."""
    if isinstance(error, errors.ApiError):
        descriptor = describe(error.code, error.status)
        if descriptor is not None:
            return descriptor.retryable is not Retryable.NEVER
        return error.status in NOT_CARRIED_OUT | UNCERTAIN
    return isinstance(error, errors.TransportError)
