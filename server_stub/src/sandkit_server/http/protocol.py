"""What a connection answers when its bytes never become a request for the application.

uvicorn answers those in plain text; here they leave as the envelope, with a request id, like everything
else. It also takes request heads of any size; here they are bounded, so that nobody fills the memory with
header lines.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from sandkit_server.core.errors import ErrorCode, SandkitError
from sandkit_server.http.envelope import error_answer
from sandkit_server.http.request_id import HEADER, fresh_id

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

__all__ = ["HEAD_SECONDS", "MAX_HEAD_BYTES", "EnvelopeProtocol"]

# Seconds a client that was answered before its whole body had come may be silent, and may go on sending in
# all. Its bytes are dropped meanwhile: cutting the connection could destroy the answer on its way (RFC 9112,
# 9.6), or meet the client's next request on it.
_LINGER: Final = 1.0
_LONGEST_LINGER: Final = 30.0

# Time from the first byte of a request head to its last, and from a new connection to its first request.
HEAD_SECONDS: Final = 30.0

_VERSIONS: Final = frozenset({"1.0", "1.1"})

# Request line and header fields together; generous, but not without end.
MAX_HEAD_BYTES: Final = 64 * 1024


class _HeadTooLargeError(Exception):
    """Ends the parsing from within a parser's callback."""


class _UnknownVersionError(Exception):
    """Likewise, for a version of HTTP that is not spoken here."""


class EnvelopeProtocol(HttpToolsProtocol):
    """uvicorn's connection on httptools; what is not HTTP gets the envelope, and heads have an end."""

    # Bytes of the head that is being read: those reported by the parser, and those it may still hold back.
    _reported = 0
    _unreported = 0
    _head_begun = False
    _request_begun = False
    _refused = False
    _timer: asyncio.TimerHandle | None = None
    _lingering_since: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there; it has some time to say what it wants."""
        super().connection_made(transport)
        self._set_timer(HEAD_SECONDS, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._clear_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser. A field is reported when it is complete, so an endless one is counted here."""
        if self._refused:
            return
        within_head = self._head_begun
        super().data_received(data)
        self._linger_on()
        if not self._head_begun or self._refused:
            return
        if within_head:
            self._unreported += len(data)
        elif self._timer is None:
            self._set_timer(HEAD_SECONDS, self._give_up)
        if self._unreported > MAX_HEAD_BYTES:
            self._refuse(_head_too_large())

    def on_message_begin(self) -> None:
        """A request begins."""
        self._head_begun = self._request_begun = True
        self._reported = self._unreported = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A piece of the request target."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A complete header field."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is complete."""
        if self.parser.get_http_version() not in _VERSIONS:
            # The parser takes the version-less request line of HTTP/0.9 and the preface of HTTP/2 as well.
            raise _UnknownVersionError
        self._head_begun = False
        self._clear_timer()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is complete."""
        super().on_message_complete()
        self._request_begun = False
        self._lingering_since = None
        self._clear_timer()

    def on_response_complete(self) -> None:
        """The answer is sent, perhaps before the request was complete."""
        super().on_response_complete()
        if self._request_begun and self.cycle.response_complete:
            self._lingering_since = self.loop.time()
            self._linger_on()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  (uvicorn's one text for all of them)
        """Answer what the parser refused, and close."""
        if self._reported > MAX_HEAD_BYTES:
            self._refuse(_head_too_large())
        else:
            self._refuse(
                SandkitError(
                    ErrorCode.REQUEST_MALFORMED_HTTP, "What this connection sent is not an HTTP/1.1 request."
                )
            )

    def _set_timer(self, seconds: float, action: Callable[[], None]) -> None:
        self._clear_timer()
        self._timer = self.loop.call_later(seconds, action)

    def _linger_on(self) -> None:
        """Wait for more of a request that is answered already: as long as it comes, but not for ever."""
        if self._lingering_since is None:
            return
        left = self._lingering_since + _LONGEST_LINGER - self.loop.time()
        self._set_timer(max(0.0, min(_LINGER, left)), self.transport.close)

    def _clear_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        if self._head_begun:
            self._refuse(
                SandkitError(
                    ErrorCode.REQUEST_TIMEOUT,
                    f"The request's head did not arrive within {HEAD_SECONDS:g} seconds.",
                )
            )
        else:
            self.transport.close()

    def _count(self, size: int) -> None:
        self._reported += size
        if self._reported > MAX_HEAD_BYTES:
            raise _HeadTooLargeError

    def _refuse(self, error: SandkitError) -> None:
        self._refused = True
        earlier = cast("RequestResponseCycle | None", self.cycle)
        if earlier is not None and not earlier.response_complete:
            # An earlier request waits for its answer, and this one's would be taken for it.
            earlier.keep_alive = False
            return
        answer = error_answer(error)
        fields = [
            *self.server_state.default_headers,
            (HEADER, fresh_id().encode("ascii")),
            (b"content-type", answer.content_type or b""),
            (b"content-length", b"%d" % len(answer.body)),
            (b"connection", b"close"),
        ]
        head = b"".join([b"%s: %s\r\n" % field for field in fields])
        self.transport.write(STATUS_LINE[answer.status] + head + b"\r\n" + answer.body)
        self.transport.write_eof()
        self._set_timer(_LINGER, self.transport.close)


def _head_too_large() -> SandkitError:
    return SandkitError(
        ErrorCode.REQUEST_HEADERS_TOO_LARGE,
        f"The request line and the headers are larger than {MAX_HEAD_BYTES} bytes.",
    )
