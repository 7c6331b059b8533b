"""One line of JSON for each exchange, through stdlib logging under ``sandkit_server.access``.

A line holds what identifies and measures an exchange, and nothing a client may have put a secret into: no
header, no query, no body.
"""

from __future__ import annotations

import logging
import time
from typing import Final

import msgspec

__all__ = ["AccessLog"]

_logger: Final = logging.getLogger("sandkit_server.access")
_encode: Final = msgspec.json.Encoder().encode


class AccessLog:
    """Writes a line at level INFO for each answered exchange of one listener, if anybody listens."""

    def __init__(self, listener: str) -> None:
        self._listener = listener

    def enabled(self) -> bool:
        """Whether a line would go anywhere."""
        return _logger.isEnabledFor(logging.INFO)

    def write(self, *, request_id: str, method: str, path: str, status: int | None, started: float) -> None:
        """Note one exchange.

        ``status`` is ``None`` when the client left first; ``started`` is ``perf_counter`` seconds.
        """
        line = {
            "event": "request",
            "listener": self._listener,
            "requestId": request_id,
            "method": method,
            "path": path,
            "status": status,
            "milliseconds": round((time.perf_counter() - started) * 1000, 3),
        }
        text = _encode(line).decode("utf-8")
        # Not by _logger.info, which looks up the calling line of the source each time, for nobody.
        _logger.handle(_logger.makeRecord(_logger.name, logging.INFO, "", 0, text, (), None))
