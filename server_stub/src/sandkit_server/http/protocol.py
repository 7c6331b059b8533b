"""What a connection answers when its bytes never become a request for the application.

uvicorn answers those in plain text; here they leave as the envelope, with a request id, like everything
else. It also takes request heads of any size; here they are bounded, so that nobody fills the memory with
header lines.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from sandkit_server.core.errors import ErrorCode, SandkitError
from sandkit_server.http.envelope import error_answer
from sandkit_server.http.request_id import HEADER, fresh_id

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

__all__ = ["MAX_HEAD_BYTES", "EnvelopeProtocol"]

# Seconds a client that was answered before its whole body had come may go on sending. Its bytes are dropped
# meanwhile: cutting the connection at once could destroy the answer on its way (RFC 9112, 9.6).
_LINGER: Final = 1.0

_VERSIONS: Final = frozenset({"1.0", "1.1"})

# Request line and header fields together; generous, but not without end.
MAX_HEAD_BYTES: Final = 64 * 1024


class _HeadTooLargeError(Exception):
    """Ends the parsing from within a parser's callback."""


class _UnknownVersionError(Exception):
    """Likewise, for a version of HTTP that is not spoken here."""


class EnvelopeProtocol(HttpToolsProtocol):
    """uvicorn's connection on httptools; what is not HTTP gets the envelope, and heads have an end."""

    # Bytes of the head that is being read: those reported by the parser, and those it still holds back.
    _reported = 0
    _unreported = 0
    _in_head = True
    _refused = False
    _lingering: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """Feed the parser. A field is reported when it is complete, so an endless one is counted here."""
        if self._refused:
            return
        super().data_received(data)
        if not self._in_head or self._refused:
            return
        self._unreported += len(data)
        if self._unreported > MAX_HEAD_BYTES:
            self._refuse(_head_too_large())

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_head = True
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
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is complete; what follows is the head of the next one."""
        super().on_message_complete()
        self._in_head = True
        self._unreported = 0
        self._end_lingering()

    def on_response_complete(self) -> None:
        """The answer is sent, perhaps before the request was complete."""
        super().on_response_complete()
        if not self._in_head and self.cycle.response_complete:
            self._lingering = self.loop.call_later(_LINGER, self.transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._end_lingering()
        super().connection_lost(exc)

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

    def _count(self, size: int) -> None:
        self._reported += size
        if self._reported > MAX_HEAD_BYTES:
            raise _HeadTooLargeError

    def _end_lingering(self) -> None:
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None

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
        self._lingering = self.loop.call_later(_LINGER, self.transport.close)


def _head_too_large() -> SandkitError:
    return SandkitError(
        ErrorCode.REQUEST_HEADERS_TOO_LARGE,
        f"The request line and the headers are larger than {MAX_HEAD_BYTES} bytes.",
    )
