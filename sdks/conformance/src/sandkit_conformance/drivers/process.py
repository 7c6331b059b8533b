"""A driver as a process: lines in, lines out, and what it says on standard error kept as evidence."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import IO, Any, Final

import anyio
from anyio.abc import Process
from attrs import define, field

from sandkit_conformance.drivers.protocol import DriverError, encode, masked, read_answer

_LONGEST_LINE: Final = 32 * 1024 * 1024
_EVIDENCE: Final = 16 * 1024
_EVIDENCE_LINES: Final = 4
_BYE_SECONDS: Final = 5.0
_KILL_SECONDS: Final = 2.0


@define
class _Awaited:
    """One answer that is waited for."""

    event: anyio.Event = field(factory=anyio.Event)
    answer: dict[str, Any] | None = None


@define
class DriverProcess:
    """Asks a driver process, and notices whatever it does wrong; after that it is `broken` for good."""

    process: Process
    stderr: IO[bytes]
    secret: str | None = None
    broken: str | None = None
    _awaited: dict[int, _Awaited] = field(factory=dict)
    _abandoned: set[int] = field(factory=set)
    _writing: anyio.Lock = field(factory=anyio.Lock)
    _finished: anyio.Event = field(factory=anyio.Event)

    async def ask(self, line: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Write one line and wait for its answer. A caller that is cancelled cancels the call, too.

        Raises:
            DriverError: the driver has broken off, breaks the protocol, or does not answer in time.
        """
        if self.broken:
            raise self.error()
        identity = int(line["id"])
        awaited = self._awaited[identity] = _Awaited()
        try:
            with anyio.fail_after(seconds):
                await self._write(line)
                await awaited.event.wait()
        except TimeoutError:
            self._break(f"it did not answer {line['type']} {identity} within {seconds:g} s")
        except anyio.get_cancelled_exc_class():
            await self._abandon(identity)
            raise
        finally:
            self._awaited.pop(identity, None)
        if awaited.answer is None:
            raise self.error()
        return awaited.answer

    def error(self) -> DriverError:
        """Why the driver is broken, with the end of what it said on standard error."""
        said = self.said().splitlines()[-_EVIDENCE_LINES:]
        tail = f"; on standard error: {' | '.join(said)}" if said else ""
        return DriverError(f"the driver: {self.broken}{tail}")

    def said(self) -> str:
        """The end of standard error, without the key."""
        size = self.stderr.seek(0, os.SEEK_END)
        self.stderr.seek(max(0, size - _EVIDENCE))
        text = self.stderr.read().decode("utf-8", "replace").strip()
        return masked(text, self.secret)

    async def cancel(self, identity: int) -> None:
        """Say that an answer is not wanted any more."""
        await self._write({"type": "cancel", "id": identity})

    def owes(self, identity: int) -> bool:
        """Whether a cancelled call has not been answered yet."""
        return identity in self._abandoned and not self.broken

    async def _abandon(self, identity: int) -> None:
        self._abandoned.add(identity)
        with anyio.CancelScope(shield=True), anyio.move_on_after(1):
            await self.cancel(identity)

    async def _write(self, line: Mapping[str, Any]) -> None:
        stdin = self.process.stdin
        assert stdin is not None
        try:
            async with self._writing:
                await stdin.send(encode(line))
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
            # Most likely it has ended, and the reading side is about to find out how.
            with anyio.move_on_after(_KILL_SECONDS):
                await self._finished.wait()
            self._break("it does not read any more")

    def _break(self, why: str) -> None:
        self.broken = self.broken or why
        for awaited in self._awaited.values():
            awaited.event.set()

    async def read_all(self) -> None:
        """Read answers until the driver ends or breaks the protocol; never raises for what it does."""
        stdout = self.process.stdout
        assert stdout is not None
        rest = bytearray()
        try:
            async for piece in stdout:
                rest += piece
                *lines, tail = rest.split(b"\n")
                rest = bytearray(tail)
                for line in lines:
                    self._take(read_answer(bytes(line), self.secret))
                if len(rest) > _LONGEST_LINE:
                    raise DriverError(f"it wrote a line of more than {_LONGEST_LINE // 1024 // 1024} MiB")
        except DriverError as error:
            self._break(str(error))
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
            self._break("its standard output broke")
        else:
            self._break(await self._how_it_ended())
        finally:
            self._finished.set()

    def _take(self, answer: dict[str, Any]) -> None:
        identity = int(answer["id"])
        if identity in self._abandoned:
            self._abandoned.discard(identity)
            return
        awaited = self._awaited.pop(identity, None)
        if awaited is None:
            raise DriverError(f"it answered {identity}, which nobody asked, or answered it twice")
        awaited.answer = answer
        awaited.event.set()

    async def _how_it_ended(self) -> str:
        with anyio.move_on_after(_KILL_SECONDS):
            code = await self.process.wait()
            return f"it ended with exit code {code}" if code >= 0 else f"it was ended by signal {-code}"
        return "it closed its standard output"

    async def stop(self) -> int | None:
        """Say goodbye, then end it in any case; its exit code when it went by itself."""
        with anyio.move_on_after(_BYE_SECONDS):
            if not self.broken:
                await self._write({"type": "bye"})
            if self.process.stdin:
                await self.process.stdin.aclose()
            return await self.process.wait()
        self._signal(signal.SIGTERM)
        with anyio.move_on_after(_KILL_SECONDS):
            await self.process.wait()
            return None
        self._signal(signal.SIGKILL)
        await self.process.wait()
        return None

    def _signal(self, number: signal.Signals) -> None:
        # The whole group: the command may be a wrapper that has started the driver itself.
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            return


@asynccontextmanager
async def running(command: tuple[str, ...], secret: str | None = None) -> AsyncIterator[DriverProcess]:
    """Run a driver's command; it is stopped on the way out, whatever happens.

    Raises:
        DriverError: there is no such program.
    """
    failure: Exception | None = None
    with tempfile.TemporaryFile() as stderr:
        try:
            process = await anyio.open_process(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, start_new_session=True
            )
        except (OSError, ValueError) as error:
            raise DriverError(f"cannot start the driver {command[0]!r}: {error}") from error
        driver = DriverProcess(process, stderr, secret)
        async with anyio.create_task_group() as group:
            group.start_soon(driver.read_all)
            try:
                yield driver
            except Exception as error:  # noqa: BLE001 - raised again below, and not inside a group of errors
                failure = error
            finally:
                with anyio.CancelScope(shield=True):
                    await driver.stop()
                group.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            await process.aclose()
    if failure is not None:
        raise failure
