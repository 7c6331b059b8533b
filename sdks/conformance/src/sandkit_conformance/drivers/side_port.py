"""JSON over HTTP to a target's side ports (probe, control): one key, and errors that name the port."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from attrs import frozen

from sandkit_conformance.drivers.port import Call, Driver, Exchange
from sandkit_conformance.failures import SuiteError
from sandkit_conformance.scenario.paths import NOTHING


class SidePortError(SuiteError):
    """A side port did not answer as its protocol says; nothing is known about the server by it."""


@frozen
class SidePort:
    """A client of one side port. `timeout` in seconds bounds every exchange."""

    name: Literal["probe", "control"]
    driver: Driver
    key: str | None
    timeout: float = 30.0

    async def exchange(
        self, method: str, path: str, *, query: Mapping[str, Any] | None = None, body: bytes | None = None
    ) -> Exchange:
        """Send one request and hand back whatever was answered.

        Raises:
            SidePortError: there is no complete answer.
        """
        headers = [(f"SANDKIT-{self.name.upper()}-KEY", self.key)] if self.key else []
        if body is not None:
            headers.append(("content-type", "application/json"))
        call = Call(
            method=method,
            path=path,
            timeout=self.timeout,
            query=tuple((name, str(value)) for name, value in (query or {}).items() if value is not None),
            headers=tuple(headers),
            content=body,
        )
        exchange = await self.driver.perform(call)
        if exchange.failure:
            raise SidePortError(f"the {self.name} port: {method} {path}: {exchange.failure.message}")
        return exchange

    async def ask(
        self, method: str, path: str, payload: Any = None, *, query: Mapping[str, Any] | None = None
    ) -> Any:
        """Send JSON and read JSON; None for an empty answer.

        Raises:
            SidePortError: no complete answer, not 2xx, or not JSON.
        """
        body = None if payload is None else json.dumps(payload).encode()
        exchange = await self.exchange(method, path, query=query, body=body)
        if not exchange.ok:
            raise SidePortError(
                f"the {self.name} port: {method} {path}: {exchange.outcome()} {exchange.text[:200]}"
            )
        if not exchange.body:
            return None
        if exchange.json is NOTHING:
            raise SidePortError(f"the {self.name} port: {method} {path}: answered something that is not JSON")
        return exchange.json

    async def features(self, protocol: str) -> frozenset[str]:
        """Ask the port who it is: what it can, if it speaks this protocol.

        Raises:
            SidePortError: it cannot be reached, refuses the key, or is something else.
        """
        info = await self.ask("GET", "/v1/info")
        spoken = info.get("protocol") if isinstance(info, dict) else None
        if spoken != protocol:
            raise SidePortError(f"the {self.name} port speaks {spoken!r}; this suite speaks {protocol}")
        features = info.get("capabilities", [])
        if not isinstance(features, list) or not all(isinstance(one, str) for one in features):
            raise SidePortError(f"the {self.name} port: `capabilities` is no list of names: {features!r}")
        return frozenset(features)
