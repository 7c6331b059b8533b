"""Child processes that end with us, whatever way we end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

# Reads process ids until we say "done" or are gone.
# If we are gone, it kills what we left and removes our folder.
_GUARD: Final = """
trap '' INT TERM HUP
pids=
while read -r word; do
  [ "$word" = done ] && exit 0
  pids="$pids $word"
done
for pid in $pids; do kill -KILL "$pid" 2>/dev/null; done
rm -rf "$1"
"""
_STOP_SECONDS: Final = 10.0
# The programs are Go, and their heap is small here: collecting it seldom spares work and costs little memory.
_SELDOM: Final = "400"


class Program:
    """A started program and where it logs."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self.log = log
        self.name = Path(command[0]).name
        with log.open("ab") as output:
            self.process = subprocess.Popen(  # noqa: S603 - programs that we built
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # An interrupt at the keyboard is for us alone; we end them in order.
                start_new_session=True,
                env={"PATH": os.environ.get("PATH", ""), "HOME": str(log.parent), "GOGC": _SELDOM},
            )

    def check(self) -> None:
        """Raises RuntimeError with the end of the log if the program has ended."""
        status = self.process.poll()
        if status is not None:
            raise RuntimeError(f"{self.name} ended with {status}\n{self.last_words()}")

    def last_words(self) -> str:
        """The end of the log."""
        return f"--- {self.name}:\n{self.log.read_text('utf-8', 'replace')[-2_000:]}"

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it and wait; with SIGKILL if it takes longer than ten seconds."""
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Guard:
    """A small process that ends ours when we cannot: killed, crashed, out of memory."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - the script above
            ["/bin/sh", "-c", _GUARD, "sh", str(folder)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def watch(self, program: Program) -> None:
        """End this program, too."""
        self._say(str(program.process.pid))

    def dismiss(self) -> None:
        """Everything was ended in order."""
        self._say("done")
        assert self._process.stdin is not None, "it was made with a pipe"
        self._process.stdin.close()
        self._process.wait()

    def _say(self, word: str) -> None:
        assert self._process.stdin is not None, "it was made with a pipe"
        self._process.stdin.write(f"{word}\n".encode())
        self._process.stdin.flush()


def free_ports(count: int) -> Sequence[int]:
    """Ports of loopback that nobody listens on, all different."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [int(listener.getsockname()[1]) for listener in sockets]
