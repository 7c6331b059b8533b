"""The `sandkit` logger. No header value, body or query is ever logged."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from sandkit._core.errors import ConfigurationError

LOG_VARIABLE = "SANDKIT_LOG"
LOGGER = logging.getLogger("sandkit")
LOGGER.addHandler(logging.NullHandler())

_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure(environment: Mapping[str, str]) -> None:
    """Obey SANDKIT_LOG (debug, info, warning or error): write the log of this package to standard error.

    Without the variable nothing is changed, so that an application's own logging set-up stays what it is.
    A second call changes nothing.

    Raises:
        ConfigurationError: The level is not one of the four.
    """
    name = environment.get(LOG_VARIABLE, "").strip().lower()
    if not name:
        return
    if name not in _LEVELS:
        raise ConfigurationError(f"{LOG_VARIABLE} is {name!r}; use {', '.join(_LEVELS)}")
    LOGGER.setLevel(_LEVELS[name])
    if not any(isinstance(handler, logging.StreamHandler) for handler in LOGGER.handlers):
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter(_FORMAT))
        LOGGER.addHandler(handler)
