"""What can be said differently for one call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestOptions:
    """Settings of one call, in place of the client's.

    Attributes:
        timeout: Seconds that connecting, sending and each wait for more of the answer may take, per attempt;
            `math.inf` for no limit, None for the client's.
        max_retries: How often to repeat the request after a failure that allows it; None for the client's.
        idempotency_key: The Idempotency-Key of a create, 1 to 255 printable ASCII characters. By default each
            call makes one of its own. Give one to make a create repeatable across processes. Calls other than
            creates ignore it.
        request_id: The X-Request-ID to send; by default each call makes one of its own.
        headers: More headers. They win over the client's.
    """

    timeout: float | None = None
    max_retries: int | None = None
    idempotency_key: str | None = None
    request_id: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


DEFAULT_OPTIONS = RequestOptions()
