"""A server in a process of its own, for as long as a `with` block lasts."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from attrs import frozen

from sandkit_conformance.failures import SuiteError

_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.01
_LAST_WORDS: Final = 2000


@frozen
class Served:
    """Where a started server is reached, and the keys made for it."""

    base_url: str
    probe_url: str | None
    control_url: str | None
    api_key: str
    probe_key: str
    control_key: str


@contextmanager
def served(command: tuple[str, ...], identifier: str) -> Iterator[Served]:
    """Run `COMMAND serve ID` on free ports of this machine and stop it afterwards, whatever happens.

    The keys are made here and travel by environment.

    Raises:
        SuiteError: it ended, or was not ready in time; with the end of what it printed.
    """
    keys = tuple(secrets.token_urlsafe(24) for _ in range(3))
    names = ("OPEN_SANDBOX_API_KEY", "SANDKIT_PROBE_KEY", "SANDKIT_CONTROL_KEY")
    ports = ("--port", "0", "--probe-port", "0", "--control-port", "0")
    with tempfile.TemporaryDirectory(prefix="sandkit-mutant-") as name:
        ready, log = Path(name) / "ready.json", Path(name) / "log"
        with log.open("wb") as output:
            try:
                process = subprocess.Popen(  # noqa: S603 - the very command the user gave
                    [*command, "serve", identifier, *ports, "--ready-file", str(ready)],
                    env={**os.environ, **dict(zip(names, keys, strict=True))},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
            except OSError as error:
                raise SuiteError(f"the server of {identifier} could not be started: {error}") from error
        try:
            told = _addresses(process, ready, log, identifier)
            yield Served(told["baseUrl"], told.get("probeUrl"), told.get("controlUrl"), *keys)
        finally:
            _stop(process)


def _addresses(process: subprocess.Popen[bytes], ready: Path, log: Path, identifier: str) -> dict[str, str]:
    deadline = time.monotonic() + _START_SECONDS
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            words = log.read_text("utf-8", "replace")[-_LAST_WORDS:]
            raise SuiteError(f"the server of {identifier} did not get ready; it said: {words}")
        time.sleep(_POLL_SECONDS)
    told: dict[str, str] = json.loads(ready.read_text("utf-8"))
    return told


def _stop(process: subprocess.Popen[bytes]) -> None:
    # There is nothing in it worth an orderly end, and waiting for one costs every mutant its grace.
    process.kill()
    process.wait(_STOP_SECONDS)
