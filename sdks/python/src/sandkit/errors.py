"""Every exception sandkit raises on purpose.

```text
SandkitError
├── ConfigurationError            a setting is missing or malformed (also a ValueError)
├── ClientClosedError             the client was used after close() (also a RuntimeError)
├── ApiError                      the server answered with a status outside 2xx
│   ├── BadRequestError           400, 422: the request breaks the contract; read `details`
│   ├── UnauthorizedError         401: the API key is missing or wrong
│   ├── ForbiddenError            403
│   │   └── QuotaExceededError    403 …::QUOTA_EXCEEDED
│   ├── NotFoundError             404
│   ├── ConflictError             409
│   │   └── InvalidStateError     409 because of the state something is in
│   ├── PayloadTooLargeError      413
│   ├── UnsupportedMediaTypeError 415
│   ├── RateLimitedError          429
│   │   └── CapacityExhaustedError  429 …::POOL_CAPACITY_EXHAUSTED
│   └── ServerError               5xx
│       ├── NotSupportedError     501: this server's runtime cannot do it
│       └── UnavailableError      503
├── TransportError                no complete answer arrived
│   ├── ConnectError              no connection, so nothing was sent
│   └── RequestTimeoutError       the time for one attempt ran out (also a TimeoutError)
├── ResponseDecodeError           a 2xx answer that does not follow the contract
└── WaitError                     a wait_… method gave up
    ├── WaitTimeoutError          the total time ran out (also a TimeoutError)
    └── UnexpectedStateError      the awaited state can no longer come
```

Every exception can be pickled, so it survives the way out of a worker process.
"""

from __future__ import annotations

from sandkit._core.accounts import Attempted, ErrorAnswer, ErrorDetail, Observation, WaitReport
from sandkit._core.errors import (
    ApiError,
    BadRequestError,
    CapacityExhaustedError,
    ClientClosedError,
    ConfigurationError,
    ConflictError,
    ConnectError,
    ForbiddenError,
    InvalidStateError,
    NotFoundError,
    NotSupportedError,
    PayloadTooLargeError,
    QuotaExceededError,
    RateLimitedError,
    RequestError,
    RequestTimeoutError,
    ResponseDecodeError,
    SandkitError,
    ServerError,
    TransportError,
    UnauthorizedError,
    UnavailableError,
    UnexpectedStateError,
    UnsupportedMediaTypeError,
    WaitError,
    WaitTimeoutError,
)

__all__ = [
    "ApiError",
    "Attempted",
    "BadRequestError",
    "CapacityExhaustedError",
    "ClientClosedError",
    "ConfigurationError",
    "ConflictError",
    "ConnectError",
    "ErrorAnswer",
    "ErrorDetail",
    "ForbiddenError",
    "InvalidStateError",
    "NotFoundError",
    "NotSupportedError",
    "Observation",
    "PayloadTooLargeError",
    "QuotaExceededError",
    "RateLimitedError",
    "RequestError",
    "RequestTimeoutError",
    "ResponseDecodeError",
    "SandkitError",
    "ServerError",
    "TransportError",
    "UnauthorizedError",
    "UnavailableError",
    "UnexpectedStateError",
    "UnsupportedMediaTypeError",
    "WaitError",
    "WaitReport",
    "WaitTimeoutError",
]
