"""Trials about time: calls at once, a server that is silent, and calls nobody wants any more."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

import anyio

from sandkit_conformance.drivers.trials.server import Reply
from sandkit_conformance.drivers.trials.trial import Bench, Trial, said

_AT_ONCE: Final = 12
_TIMEOUT: Final = 0.3
_LATE: Final = 2.0
_PATIENCE: Final = 3.0
_LOOK: Final = 0.005


async def at_once(bench: Bench) -> AsyncIterator[str]:
    """Calls side by side, answered in the opposite order."""
    samples = [bench.plain(f"sbx-{number}") for number in range(_AT_ONCE)]
    gates = [threading.Event() for _ in samples]
    calls = [bench.call(sample, timeout=_PATIENCE * 2) for sample in samples]
    bench.script.begin(
        Reply(),
        {
            call.path: Reply.of(200, sample.answer, release=gate)
            for call, sample, gate in zip(calls, samples, gates, strict=True)
        },
    )
    answers: dict[int, dict[str, Any]] = {}

    async def ask(index: int) -> None:
        answers[index] = await bench.ask(calls[index])

    async with anyio.create_task_group() as group:
        for index in range(_AT_ONCE):
            group.start_soon(ask, index)
        together = await _arrivals(bench, _AT_ONCE)
        for gate in reversed(gates):
            gate.set()
            await anyio.sleep(0.002)
    if together < _AT_ONCE:
        yield f"only {together} of {_AT_ONCE} calls were on their way at once; races need all of them"
    for index, sample in enumerate(samples):
        shown = answers[index].get("body") or {}
        if shown.get("id") != sample.parameters["sandboxId"]:
            came = shown.get("id") or said(answers[index])
            yield f"the answer about {sample.parameters['sandboxId']} came with {came}"


async def _arrivals(bench: Bench, wanted: int) -> int:
    await _until(lambda: len(bench.script.arrived) >= wanted)
    return len(bench.script.arrived)


async def _until(condition: Callable[[], bool]) -> bool:
    """Whether it came true in time; looked at again and again, because a thread of the server makes it so."""
    for _ in range(int(_PATIENCE / _LOOK)):
        if condition():
            return True
        await anyio.sleep(_LOOK)
    return condition()


async def silence(bench: Bench) -> AsyncIterator[str]:
    """A server that does not answer: the driver keeps the time."""
    release = threading.Event()
    bench.script.begin(Reply(release=release))
    began = time.monotonic()
    answer = await bench.ask(bench.call(bench.plain(), timeout=_TIMEOUT))
    took = time.monotonic() - began
    release.set()
    if answer["type"] != "error" or answer["kind"] != "timeout":
        yield f"silence for {_TIMEOUT:g} s must be an error of kind timeout, not {said(answer)}"
    elif not _TIMEOUT * 0.9 <= took <= _TIMEOUT + _LATE:
        yield f"a time-out of {_TIMEOUT:g} s came after {took:.2f} s"


async def cancellation(bench: Bench) -> AsyncIterator[str]:
    """A call that is cancelled gets its one answer soon, and the next call works."""
    release = threading.Event()
    sample = bench.plain()
    bench.script.begin(Reply.of(200, sample.answer, release=release))
    line = bench.line(bench.call(sample, timeout=_PATIENCE * 3))
    async with anyio.create_task_group() as group:
        group.start_soon(bench.process.ask, line, _PATIENCE * 4)
        await _arrivals(bench, 1)
        group.cancel_scope.cancel()
    if not await _until(lambda: not bench.process.owes(line["id"])):
        yield f"a cancelled call was not answered within {_PATIENCE:g} s"
    release.set()
    answer = await bench.ask(bench.call(sample))
    if answer["type"] != "result" or answer["status"] != 200:
        yield f"the call after a cancelled one gave {said(answer)}"


TIMING: Final[Mapping[str, Trial]] = {
    "at once": at_once,
    "silence": silence,
    "cancellation": cancellation,
}
