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
from typing import Any, Final, Protocol

from attrs import define, field, frozen

from sandkit_conformance.failures import SuiteError

_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.005
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


@frozen
class Order:
    """How a server is to be started: the arguments behind `serve`, and where its output goes."""

    arguments: tuple[str, ...]
    environment: dict[str, str] = field(repr=False)
    log: Path


class Servers(Protocol):
    """What can start servers and end them."""

    def start(self, order: Order) -> int:
        """Start one and return its process id; it is not ready yet."""
        ...

    def has_ended(self, process: int) -> bool:
        """Whether it has ended by itself."""
        ...

    def stop(self, process: int) -> None:
        """Kill it and wait for its end."""
        ...


@define
class OwnProcesses:
    """Runs `COMMAND serve …` anew for every server."""

    command: tuple[str, ...]
    _running: dict[int, subprocess.Popen[bytes]] = field(factory=dict)

    def start(self, order: Order) -> int:
        """See `Servers.start`.

        Raises:
            SuiteError: the command cannot be run.
        """
        with order.log.open("wb") as output:
            try:
                process = subprocess.Popen(  # noqa: S603 - the very command the user gave
                    [*self.command, "serve", *order.arguments],
                    env={**os.environ, **order.environment},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
            except OSError as error:
                raise SuiteError(f"the server could not be started: {error}") from error
        self._running[process.pid] = process
        return process.pid

    def has_ended(self, process: int) -> bool:
        """See `Servers.has_ended`."""
        return self._running[process].poll() is not None

    def stop(self, process: int) -> None:
        """See `Servers.stop`."""
        # There is nothing in it worth an orderly end, and waiting for one costs every mutant its grace.
        ended = self._running.pop(process)
        ended.kill()
        ended.wait(_STOP_SECONDS)


class Host:
    """Keeps one `COMMAND host`, which has everything imported and forks a server in no time."""

    def __init__(self, command: tuple[str, ...]) -> None:
        self._command = command
        self._process: subprocess.Popen[str] | None = None

    def start(self, order: Order) -> int:
        """See `Servers.start`.

        Raises:
            SuiteError: the host cannot be run, or has ended.
        """
        log = str(order.log)
        told = self._tell({"serve": order.arguments, "environment": order.environment, "log": log})
        return int(told["pid"])

    def has_ended(self, process: int) -> bool:
        """See `Servers.has_ended`."""
        return bool(self._tell({"look": process})["ended"])

    def stop(self, process: int) -> None:
        """See `Servers.stop`."""
        self._tell({"stop": process})

    def close(self) -> None:
        """End the host, and with it every server it still runs."""
        process, self._process = self._process, None
        if process is not None and process.stdin is not None and process.stdout is not None:
            process.stdin.close()
            process.wait(_STOP_SECONDS)
            process.stdout.close()

    def _tell(self, order: dict[str, Any]) -> dict[str, Any]:
        try:
            process = self._process or self._open()
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(order) + "\n")
            process.stdin.flush()
            answer: dict[str, Any] = json.loads(process.stdout.readline())
        except (OSError, ValueError) as error:
            self._drop()
            raise SuiteError(f"the host of the mutants does not answer: {error}") from error
        return answer

    def _drop(self) -> None:
        """Give up a host that does not answer; the next server gets a new one."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def _open(self) -> subprocess.Popen[str]:
        self._process = subprocess.Popen(  # noqa: S603 - the very command the user gave
            [*self._command, "host"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self._process


@contextmanager
def served(servers: Servers, identifier: str) -> Iterator[Served]:
    """Have a variant served on free ports of this machine and stop it afterwards, whatever happens.

    The keys are made here and travel by environment.

    Raises:
        SuiteError: it ended, or was not ready in time; with the end of what it printed.
    """
    keys = tuple(secrets.token_urlsafe(24) for _ in range(3))
    names = ("OPEN_SANDBOX_API_KEY", "SANDKIT_PROBE_KEY", "SANDKIT_CONTROL_KEY")
    ports = ("--port", "0", "--probe-port", "0", "--control-port", "0")
    with tempfile.TemporaryDirectory(prefix="sandkit-mutant-") as name:
        ready, log = Path(name) / "ready.json", Path(name) / "log"
        order = Order(
            (identifier, *ports, "--ready-file", str(ready)), dict(zip(names, keys, strict=True)), log
        )
        process = servers.start(order)
        try:
            told = _addresses(servers, process, ready, log)
            yield Served(told["baseUrl"], told.get("probeUrl"), told.get("controlUrl"), *keys)
        finally:
            servers.stop(process)


def _addresses(servers: Servers, process: int, ready: Path, log: Path) -> dict[str, str]:
    deadline = time.monotonic() + _START_SECONDS
    while not ready.exists():
        if servers.has_ended(process) or time.monotonic() > deadline:
            words = log.read_text("utf-8", "replace")[-_LAST_WORDS:] if log.exists() else ""
            raise SuiteError(f"the server did not get ready; it said: {words}")
        time.sleep(_POLL_SECONDS)
    told: dict[str, str] = json.loads(ready.read_text("utf-8"))
    return told
