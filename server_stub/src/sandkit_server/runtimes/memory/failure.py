"""How a step of the controller fails: with a reason for the status, whatever went wrong."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from sandkit_server.core.port_errors import NeverReady, PortError
from sandkit_server.runtimes.memory.workload_table import Superseded

_log = logging.getLogger(__name__)


class StepFailed(Exception):  # noqa: N818 - reads as the sentence it makes
    """A transition cannot go on. ``reason`` is one CamelCase word, ``message`` is for people."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message


@contextmanager
def blamed_on(reason: str) -> Iterator[None]:
    """Turn every failure inside into StepFailed with ``reason``.

    An unforeseen one is logged with its trace.
    """
    try:
        yield
    except (StepFailed, Superseded):
        raise
    except NeverReady as error:
        raise StepFailed(error.reason, error.message) from error
    except PortError as error:
        raise StepFailed(reason, error.message) from error
    except Exception as error:
        _log.exception("a step crashed")
        raise StepFailed(reason, "the step crashed; the server's log has the cause") from error
