"""What every trial works with: the driver's process, the scripted server, and calls made of samples."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final

from attrs import define, field

from sandkit_conformance.contract import Contract
from sandkit_conformance.drivers.port import API_KEY_HEADER, Call
from sandkit_conformance.drivers.process import DriverProcess
from sandkit_conformance.drivers.protocol import call_line
from sandkit_conformance.drivers.trials.samples import SAMPLES, Sample
from sandkit_conformance.drivers.trials.server import Script

KEY: Final = "sandkit-driver-trial-key"
SECONDS: Final = 5.0
_GRACE: Final = 5.0


@define
class Bench:
    """Asks the driver and shows what reached the server."""

    process: DriverProcess
    script: Script
    contract: Contract
    operations: frozenset[str]
    _ids: Iterator[int] = field(init=False, factory=lambda: itertools.count(1))

    def call(
        self, sample: Sample, timeout: float = SECONDS, headers: tuple[tuple[str, str], ...] = ()
    ) -> Call:
        """The call of a sample."""
        operation = self.contract.operation(sample.operation)
        content = None if sample.body is None else json.dumps(sample.body).encode()
        media_type = () if content is None else (("Content-Type", "application/json"),)
        return Call(
            method=operation.method,
            path=self.contract.path_of(operation, sample.parameters),
            timeout=timeout,
            operation=operation.id,
            parameters=sample.parameters,
            query=sample.query,
            headers=((API_KEY_HEADER, KEY), *media_type, *headers),
            content=content,
        )

    async def ask(self, call: Call) -> dict[str, Any]:
        """One call and its answer. Raises `DriverError` when there is none."""
        return await self.process.ask(self.line(call), call.timeout + _GRACE)

    def line(self, call: Call) -> dict[str, Any]:
        """The line for a call, with an id of its own."""
        return call_line(next(self._ids), call)

    def plain(self, sandbox: str = "sbx-1") -> Sample:
        """A plain reading, which every trial that is about something else uses."""
        found = next(one for one in SAMPLES if one.operation == "getSandbox")
        return Sample(found.operation, found.status, {**found.answer, "id": sandbox}, {"sandboxId": sandbox})


Trial = Callable[[Bench], AsyncIterator[str]]


def said(answer: dict[str, Any]) -> str:
    """An answer in a few words."""
    if answer["type"] == "error":
        return f"error {answer['kind']}: {answer['message']}"
    return f"{answer['type']} {answer.get('status', '')}".strip()
