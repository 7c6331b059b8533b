"""Calls through a driver process, and by raw HTTP what a client library cannot be made to send."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

from attrs import define, evolve, field

from sandkit_conformance.contract import Contract
from sandkit_conformance.drivers.port import (
    Call,
    Driver,
    Exchange,
    FailureKind,
    TransportFailure,
)
from sandkit_conformance.drivers.process import DriverProcess
from sandkit_conformance.drivers.protocol import (
    HELLO_ID,
    Address,
    DriverError,
    call_line,
    hello,
    masked,
    why_raw,
)

_HELLO_SECONDS: Final = 15.0
# A driver keeps the time of a call itself; only one that hangs lets this run out.
_GRACE_SECONDS: Final = 5.0
_FAILURES: Final[dict[str, FailureKind]] = {
    "unreachable": "unreachable",
    "timeout": "timeout",
    "truncated": "truncated",
    "protocol": "protocol",
    "decode": "decode",
}


@define
class JsonLinesDriver:
    """A `Driver` over a driver process. What it cannot send goes over `raw`, and the exchange says why.

    Unlike other drivers it raises `DriverError` when the driver process itself goes wrong: that says nothing
    about the server, and must never look as if it did.
    """

    process: DriverProcess
    address: Address
    contract: Contract
    raw: Driver
    name: str = field(init=False, default="")
    operations: frozenset[str] = field(init=False, default=frozenset())
    performed: int = field(init=False, default=0)
    _ids: Iterator[int] = field(init=False, factory=lambda: itertools.count(1))

    async def greet(self) -> None:
        """Exchange hellos.

        Raises:
            DriverError: the driver does not answer as the protocol says.
        """
        welcome = await self.process.ask(hello(self.address), _HELLO_SECONDS)
        if welcome["type"] != "hello" or welcome["id"] != HELLO_ID:
            said = masked(welcome.get("message", ""), self.address.api_key)
            raise DriverError(f"the driver answered hello with {welcome['type']}: {said}")
        unknown = [name for name in welcome["operations"] if name not in self.contract.operations]
        if unknown:
            raise DriverError(f"the driver offers {unknown[0]}, which is no operation of the spec")
        self.name = f"{welcome['name']} {welcome['version']}".strip()
        self.operations = frozenset(welcome["operations"])

    async def perform(self, call: Call) -> Exchange:
        """Send one call once; see `Driver.perform`.

        Raises:
            DriverError: the driver does not do its work.
        """
        reason = self._why_raw(call)
        if reason is None:
            exchange = await self._through_driver(call)
            if isinstance(exchange, Exchange):
                self.performed += 1
                return exchange
            reason = exchange
        return evolve(await self.raw.perform(call), raw_because=reason)

    async def aclose(self) -> None:
        """Nothing is held here: whoever started the process ends it."""

    def _why_raw(self, call: Call) -> str | None:
        operation = self.contract.operations.get(call.operation or "")
        if operation is not None and operation.id not in self.operations:
            return f"the driver does not offer {operation.id}"
        return why_raw(call, self.address.api_key, needs_key=operation is not None and operation.needs_key)

    async def _through_driver(self, call: Call) -> Exchange | str:
        """The exchange, or why the driver cannot express the call."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        started = time.monotonic()
        answer = await self.process.ask(call_line(next(self._ids), call), call.timeout + _GRACE_SECONDS)
        query = f"?{urlencode(call.query)}" if call.query else ""
        empty = Exchange(
            call=call,
            url=f"{self.address.root}{call.path}{query}",
            at=at,
            started=started,
            ended=time.monotonic(),
            via=self.name,
        )
        if answer["type"] == "error":
            return self._failed(empty, answer)
        if answer["type"] != "result":
            raise DriverError(f"the driver answered a call with {answer['type']}")
        return self._answered(empty, answer)

    def _failed(self, empty: Exchange, answer: dict[str, Any]) -> Exchange | str:
        kind, message = answer["kind"], masked(answer["message"], self.address.api_key)
        if kind == "inexpressible":
            return f"the driver cannot express it: {message}"
        if kind not in _FAILURES:
            raise DriverError(f"the driver answered {empty.call.operation} with {kind}: {message}")
        return evolve(empty, failure=TransportFailure(_FAILURES[kind], message))

    def _answered(self, empty: Exchange, answer: dict[str, Any]) -> Exchange:
        body = b""
        if "body" in answer:
            body = json.dumps(answer["body"], ensure_ascii=False).encode("utf-8", "surrogatepass")
        elif "text" in answer:
            body = answer["text"].encode("utf-8", "surrogatepass")
        headers = tuple((name, value) for name, value in answer["headers"])
        exchange = evolve(empty, status=answer["status"], headers=headers, body=body)
        # A client that tells its user one thing and another is caught here, whatever the scenario looks at.
        shown = {"code": None if exchange.ok else exchange.code, "requestId": exchange.request_id}
        for name, value in shown.items():
            if value is not None and answer[name] != value:
                raise DriverError(
                    f"the driver contradicts itself about {empty.call.operation}: "
                    f"{name} is {answer[name]!r}, its answer says {value!r}"
                )
        return exchange
