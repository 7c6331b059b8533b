"""A server in a process of its own, started by the command line that users type."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from sandkit_server.addresses import Addresses
from sandkit_server.settings import Settings
from sandkit_server.settings.command_line import VARIABLES, arguments_of

__all__ = ["ServerProcess"]

_START_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.01


class ServerProcess:
    """Runs ``python -m sandkit_server serve`` once, from ``start`` to ``stop``.

    Keys travel by environment. With ``log``, everything the process prints goes to that file, else to where
    this process prints.
    """

    def __init__(self, settings: Settings, log: Path | None) -> None:
        self._settings = settings
        self._log = log
        self._folder = tempfile.TemporaryDirectory(prefix="sandkit-server-")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return None if self._process is None else self._process.pid

    def start(self) -> Addresses:
        """Start and wait until clients can connect.

        Raises:
            RuntimeError: it ended instead, or took longer than 30 seconds; ends with the log, if there is
            one.
        """
        ready = Path(self._folder.name) / "ready.json"
        command = [
            sys.executable,
            "-m",
            "sandkit_server",
            "serve",
            *arguments_of(self._settings),
            "--ready-file",
            str(ready),
        ]
        with ExitStack() as files:
            log = None if self._log is None else files.enter_context(self._log.open("ab"))
            self._process = subprocess.Popen(  # noqa: S603  (our own interpreter)
                command, env=self._environment(), stdout=log, stderr=log
            )
        try:
            self._await(ready, self._process)
        except BaseException:
            # Also when whoever waits is interrupted: nobody else knows the process.
            self.stop()
            raise
        told = json.loads(ready.read_text(encoding="utf-8"))
        return Addresses(told["baseUrl"], told["probeUrl"], told["controlUrl"])

    def _await(self, ready: Path, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not ready.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server process did not start; {self._last_words()}")
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """Send SIGTERM and wait; kill it when it takes more than its grace and five seconds."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(timeout=2 * self._settings.shutdown_grace + 5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._folder.cleanup()

    def _last_words(self) -> str:
        if self._log is None:
            return "see its output"
        return f"it said:\n{self._log.read_text(encoding='utf-8', errors='replace')}"

    def _environment(self) -> dict[str, str]:
        environment = {name: value for name, value in os.environ.items() if name not in VARIABLES.values()}
        for name, variable in VARIABLES.items():
            key: str | None = getattr(self._settings, name)
            if key is not None:
                environment[variable] = key
        return environment
