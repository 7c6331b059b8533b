"""One line of JSON for each exchange, through stdlib logging under ``sandkit_server.access``.

A line holds what identifies and measures an exchange, and nothing a client may have put a secret into: no
header, no query, no body. It is written for every request, so it costs as little as logging allows: the line
is complete by itself and needs no formatting.
"""

from __future__ import annotations

import logging
import sys
import time
from datetime import UTC, datetime
from typing import Final, TextIO

import msgspec

__all__ = ["AccessLog", "LineHandler", "show_access_log"]

_logger: Final = logging.getLogger("sandkit_server.access")


class _Line(msgspec.Struct, rename="camel"):
    """What is told of one exchange; ``status`` is null when the client left before there was an answer."""

    time: datetime
    listener: str
    request_id: str
    method: str
    path: str
    status: int | None
    milliseconds: float
    event: str = "request"


_encode: Final = msgspec.json.Encoder().encode


class AccessLog:
    """Writes a line at level INFO for each answered exchange of one listener, if anybody listens."""

    def __init__(self, listener: str) -> None:
        self._listener = listener

    def enabled(self) -> bool:
        """Whether a line would go anywhere."""
        return _logger.isEnabledFor(logging.INFO)

    def write(self, *, request_id: str, method: str, path: str, status: int | None, started: float) -> None:
        """Note one exchange that started at ``started`` seconds of ``time.perf_counter``."""
        milliseconds = round((time.perf_counter() - started) * 1000, 3)
        line = _Line(datetime.now(UTC), self._listener, request_id, method, path, status, milliseconds)
        text = _encode(line).decode("utf-8")
        # Not by _logger.info, which looks up the calling line of the source each time, for nobody.
        _logger.handle(_logger.makeRecord(_logger.name, logging.INFO, "", 0, text, (), None))


class LineHandler(logging.Handler):
    """Writes messages as they are, one line each, to a stream."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line at once."""
        try:
            self._stream.write(f"{record.msg}\n")
            self._stream.flush()
        except OSError:
            self.handleError(record)


def show_access_log(shown: bool) -> None:
    """Send the lines of this process to standard error, or to nowhere; in any case to no other handler."""
    _logger.setLevel(logging.INFO if shown else logging.CRITICAL)
    _logger.propagate = False
    if shown:
        _logger.addHandler(LineHandler(sys.stderr))
