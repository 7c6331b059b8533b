"""From a generated request to what goes on the wire."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from sandkit._core import config as configuration
from sandkit._core.accounts import Attempted
from sandkit._core.config import ClientConfig
from sandkit._core.errors import ConfigurationError
from sandkit._core.options import RequestOptions
from sandkit._generated.exchange import Operation, Request
from sandkit._version import __version__

USER_AGENT = f"sandkit-python/{__version__}"
IDEMPOTENCY_HEADER = "idempotency-key"
REQUEST_ID_HEADER = "x-request-id"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One request, complete but for the API key.

    Attributes:
        operation: What is asked for.
        method: The HTTP method.
        url: The whole address.
        headers: Headers under lower-case names, without the key.
        content: The body, or None.
        timeout: Seconds for each step of an attempt.
        max_retries: How often it may be repeated.
    """

    operation: Operation
    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    content: bytes | None = field(repr=False)
    timeout: float
    max_retries: int

    @property
    def request_id(self) -> str:
        """What is sent as X-Request-ID."""
        return self.headers[REQUEST_ID_HEADER]

    def attempted(self, attempts: int) -> Attempted:
        """How an error refers to this request. The query is left out: metadata filters may be private."""
        return Attempted(
            self.operation.operation_id, self.method, self.url.partition("?")[0], self.request_id, attempts
        )


def assemble(request: Request, config: ClientConfig, options: RequestOptions) -> Outgoing:
    """The request as it goes on the wire.

    Raises:
        ConfigurationError: An option is malformed.
    """
    query = f"?{urlencode(request.query)}" if request.query else ""
    headers = {name.lower(): value for name, value in request.headers.items()}
    headers |= {"user-agent": USER_AGENT, REQUEST_ID_HEADER: options.request_id or uuid.uuid4().hex}
    if request.operation.idempotency_key:
        headers[IDEMPOTENCY_HEADER] = _idempotency_key(options.idempotency_key)
    headers.update(config.headers)
    headers.update(configuration.checked_headers(options.headers))
    return Outgoing(
        operation=request.operation,
        method=request.method,
        url=f"{config.base_url}{request.path}{query}",
        headers=configuration.checked_headers(headers),
        content=request.content,
        timeout=config.timeout if options.timeout is None else configuration.timeout_seconds(options.timeout),
        max_retries=config.max_retries
        if options.max_retries is None
        else configuration.retries(options.max_retries),
    )


def _idempotency_key(given: str | None) -> str:
    if given is None:
        return uuid.uuid4().hex
    key: object = given
    if not (
        isinstance(key, str) and 1 <= len(key) <= 255 and all("!" <= character <= "~" for character in key)
    ):
        raise ConfigurationError("an idempotency key has 1 to 255 printable ASCII characters and no blank")
    return given


def path_id(value: str, what: str) -> str:
    """An id that can stand in a path.

    Raises:
        ValueError: It is empty, or a dot segment, which would lead to another operation.
    """
    if not isinstance(value, str):
        raise TypeError(f"the {what} is {value!r}; use its id, a string")
    if value in {"", ".", ".."}:
        raise ValueError(f"the {what} is {value!r}; an id is never empty and never a dot segment")
    return value
