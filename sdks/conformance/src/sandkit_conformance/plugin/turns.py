"""Turns of processes that share a server: most go side by side, what disturbs the others goes alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from attrs import frozen


@frozen
class Turns:
    """A lock file; None in a session of one process, where there is nobody to wait for."""

    path: Path | None

    @contextmanager
    def turn(self, *, alone: bool) -> Iterator[None]:
        """Hold a turn for as long as the context lasts."""
        if self.path is None:
            yield
            return
        try:
            import fcntl
        except ImportError as error:
            raise pytest.UsageError("several workers need file locks, which this system has not") from error
        with self.path.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            yield
