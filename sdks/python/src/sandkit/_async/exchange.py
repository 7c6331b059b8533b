"""Requests out, answers in, repeated where that is safe."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, TypeVar

import httpx

from sandkit._core import errors
from sandkit._core.config import API_KEY_HEADER, ClientConfig
from sandkit._core.error_body import BODY_LIMIT
from sandkit._core.log import LOGGER
from sandkit._core.options import DEFAULT_OPTIONS, RequestOptions
from sandkit._core.request import Outgoing, assemble
from sandkit._core.response import Answer, Parse, Received, decoded, is_success
from sandkit._core.retry import Again, RetryPolicy, repeatability
from sandkit._generated.operations import get_version
from sandkit._io_async import AsyncHome

if TYPE_CHECKING:
    from sandkit._generated.exchange import Request
    from sandkit._io_async import AsyncClock

T = TypeVar("T")

IDEMPOTENCY_CAPABILITY = "idempotency"
"""How a server says, in the answer to getVersion, that it honours Idempotency-Key."""

_NOTHING_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.LocalProtocolError,
)
_NO_CONNECTION = (httpx.ConnectError, httpx.ProxyError)


class AsyncExchange:
    """All requests of one client go through here: one pool of connections, one retry policy."""

    def __init__(self, config: ClientConfig, http: httpx.AsyncClient, clock: AsyncClock) -> None:
        self.config = config
        self.clock = clock
        self._http = http
        self._policy = RetryPolicy()
        self._closed = False
        self._home = AsyncHome()
        self._honours_keys: bool | None = None

    async def call(self, request: Request, parse: Parse[T], options: RequestOptions | None) -> Answer[T]:
        """Send a request, again if that is safe and may help, and decode the answer.

        Raises:
            ApiError: The server answered outside 2xx, in the end.
            TransportError: No complete answer arrived, in the end.
            ResponseDecodeError: The answer does not follow the contract.
            ConfigurationError: An option is malformed, or the address too long to be sent.
            ClientClosedError: The client is closed.
        """
        options = options or DEFAULT_OPTIONS
        outgoing = assemble(request, self.config, options)
        attempts = 0
        uncertain = False
        while True:
            attempts += 1
            try:
                return decoded(await self._send(outgoing, attempts), outgoing, parse, attempts)
            except errors.RequestError as problem:
                if uncertain and isinstance(problem, errors.NotFoundError) and outgoing.method == "DELETE":
                    # The attempt whose answer was lost did it: what this call was for has come about.
                    return Answer(parse(204, {}, b""), problem.request_id)
                uncertain = problem.maybe_applied = uncertain or problem.maybe_applied
                again = self._again(outgoing, problem)
                if again is None:
                    raise
                LOGGER.info("%s; again in %.2f s", _summary(problem), again.delay)
                await self.clock.sleep(again.delay)
                if again.only_with_key and not await self._keys_are_honoured(options):
                    raise

    def _again(self, outgoing: Outgoing, problem: errors.RequestError) -> Again | None:
        if problem.attempts > outgoing.max_retries:
            return None
        return self._policy.decide(problem, repeatability(outgoing.operation), random.random)

    async def _keys_are_honoured(self, options: RequestOptions) -> bool:
        """Whether the server says that it honours Idempotency-Key; asked once, and only when it matters."""
        if self._honours_keys is None:
            asked = RequestOptions(
                timeout=options.timeout, max_retries=options.max_retries, headers=options.headers
            )
            try:
                answer = await self.call(get_version.build(), get_version.parse, asked)
            except errors.RequestError:
                return False
            self._honours_keys = IDEMPOTENCY_CAPABILITY in (answer.value.capabilities or ())
        return self._honours_keys

    async def _send(self, outgoing: Outgoing, attempts: int) -> Received:
        self._check_usable()
        began = self.clock.monotonic()
        try:
            response = await self._http.send(
                self._http_request(outgoing), stream=True, follow_redirects=False
            )
            try:
                content = await _read(response)
            finally:
                await response.aclose()
        except httpx.HTTPError as problem:
            raise _transport_error(problem, outgoing, attempts) from problem
        LOGGER.debug(
            "%s %s: %d in %.0f ms (%s, request id %s, attempt %d)",
            outgoing.method,
            outgoing.attempted(attempts).url,
            response.status_code,
            (self.clock.monotonic() - began) * 1000,
            outgoing.operation.operation_id,
            outgoing.request_id,
            attempts,
        )
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Received(response.status_code, headers, content)

    def _http_request(self, outgoing: Outgoing) -> httpx.Request:
        """The request with the API key, which stands in no variable of ours that a traceback could show."""
        seconds = None if math.isinf(outgoing.timeout) else outgoing.timeout
        try:
            request = self._http.build_request(
                outgoing.method,
                outgoing.url,
                headers=dict(outgoing.headers),
                content=outgoing.content,
                timeout=httpx.Timeout(seconds),
            )
        except (httpx.InvalidURL, UnicodeError) as problem:
            raise errors.ConfigurationError(
                f"{outgoing.operation.operation_id} cannot be sent: {problem}; correct the base URL, "
                "or shorten the id or filter that the address holds"
            ) from problem
        if self.config.api_key is not None and outgoing.operation.authenticated:
            request.headers[API_KEY_HEADER] = self.config.api_key.reveal()
        return request

    def _check_usable(self) -> None:
        if self._closed or self._http.is_closed:
            raise errors.ClientClosedError("the client is closed; make a new one, or close it later")
        self._home.enter()

    async def close(self, *, connections: bool) -> None:
        """Refuse further calls, and close the connections if they are ours."""
        self._closed = True
        if connections and not self._http.is_closed:
            self._home.enter()
            await self._http.aclose()


async def _read(response: httpx.Response) -> bytes:
    """The body. Of an error answer only the beginning, however it ends: the status is what counts."""
    if is_success(response.status_code):
        return await response.aread()
    content = bytearray()
    try:
        async for piece in response.aiter_bytes():
            content += piece
            if len(content) >= BODY_LIMIT and not await _hung_up(response):
                break
    except (httpx.TransportError, httpx.DecodingError) as problem:
        LOGGER.debug("the body of a %d answer broke off: %s", response.status_code, type(problem).__name__)
    return bytes(content[:BODY_LIMIT])


async def _hung_up(response: httpx.Response) -> bool:
    """Close the connection under an answer, which ends reading in good order; false if there is none."""
    stream = response.extensions.get("network_stream")
    if stream is None:
        return False
    await stream.aclose()
    return True


def _transport_error(problem: httpx.HTTPError, outgoing: Outgoing, attempts: int) -> errors.TransportError:
    attempted = outgoing.attempted(attempts)
    what = f"{type(problem).__name__}: {problem}" if str(problem) else type(problem).__name__
    error: errors.TransportError
    if isinstance(problem, httpx.TimeoutException):
        error = errors.RequestTimeoutError(f"no answer within {outgoing.timeout:g} s ({what}).", attempted)
    elif isinstance(problem, _NO_CONNECTION):
        error = errors.ConnectError(f"no connection to {attempted.url} ({what}).", attempted)
    else:
        error = errors.TransportError(f"the exchange broke off ({what}).", attempted)
    error.maybe_applied = not outgoing.operation.safe and not isinstance(problem, _NOTHING_SENT)
    return error


def _summary(problem: errors.RequestError) -> str:
    """One line without a message of the server's, which may repeat what the caller sent."""
    answer = (
        f" {problem.status} {problem.code or ''}".rstrip() if isinstance(problem, errors.ApiError) else ""
    )
    return (
        f"{problem.operation_id} failed with {type(problem).__name__}{answer} "
        f"(request id {problem.request_id}, attempt {problem.attempts})"
    )
