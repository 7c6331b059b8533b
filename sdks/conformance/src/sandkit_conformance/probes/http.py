"""The probe protocol over HTTP, `sandkit-probe/1`: for the embedded server and for anybody else's."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, Final
from urllib.parse import quote

from attrs import frozen

from sandkit_conformance.drivers.side_port import SidePort, SidePortError
from sandkit_conformance.probes.view import KINDS, View

PROTOCOL: Final = "sandkit-probe/1"


@frozen
class HttpProbe:
    """A `Probe` behind a side port."""

    port: SidePort
    features: frozenset[str]

    async def view(self, kinds: Collection[str] = KINDS) -> View:  # noqa: ARG002 - one answer has everything
        """See `Probe.view`."""
        return View.parse(await self.port.ask("GET", "/v1/view"))

    async def events(self, after: int | None) -> tuple[list[dict[str, Any]], int]:
        """See `Probe.events`."""
        answer = await self.port.ask("GET", "/v1/events", query={"after": after})
        return list(answer.get("events", [])), int(answer.get("last", 0))

    async def read_file(
        self, path: str, *, sandbox: str | None = None, volume: str | None = None
    ) -> str | None:
        """See `Probe.read_file`."""
        route, query = (
            ("/v1/volume-files", {"volume": volume}) if volume else ("/v1/files", {"sandboxId": sandbox})
        )
        exchange = await self.port.exchange("GET", route, query={**query, "path": path})
        if exchange.status == 404:
            return None
        if not exchange.ok:
            raise SidePortError(f"the probe port: GET {route} {path}: {exchange.outcome()}")
        return exchange.text

    async def write_file(self, sandbox: str, path: str, text: str) -> None:
        """See `Probe.write_file`."""
        await self._write("/v1/files", {"sandboxId": sandbox, "path": path}, text)

    async def write_volume_file(self, volume: str, path: str, text: str) -> None:
        """Write into a volume, mounted or not."""
        await self._write("/v1/volume-files", {"volume": volume, "path": path}, text)

    async def environment(self, sandbox: str) -> Mapping[str, str]:
        """See `Probe.environment`."""
        answer = await self.port.ask("GET", "/v1/environment", query={"sandboxId": sandbox})
        return dict(answer.get("env", {}))

    async def create_volume(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `Probe.create_volume`."""
        return await self.port.ask("POST", "/v1/volumes", dict(fields)) or {}

    async def create_workload(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `Probe.create_workload`."""
        return await self.port.ask("POST", "/v1/workloads", dict(fields)) or {}

    async def remove(self, kind: str, name: str) -> bool:
        """See `Probe.remove`."""
        route = f"/v1/{kind}s/{quote(name, safe='')}"
        exchange = await self.port.exchange("DELETE", route)
        if not exchange.ok and exchange.status != 404:
            raise SidePortError(f"the probe port: DELETE {route}: {exchange.outcome()}")
        return exchange.status != 404

    async def edit_volume(self, name: str, fields: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """See `Probe.edit_volume`."""
        route = f"/v1/volumes/{quote(name, safe='')}"
        exchange = await self.port.exchange("PATCH", route, body=json.dumps(dict(fields)).encode())
        if exchange.status == 404:
            return None
        row = exchange.json
        if not exchange.ok or not isinstance(row, dict):
            raise SidePortError(f"the probe port: PATCH {route}: {exchange.outcome()}")
        return row

    async def _write(self, route: str, query: Mapping[str, str], text: str) -> None:
        exchange = await self.port.exchange("PUT", route, query=query, body=text.encode())
        if not exchange.ok:
            raise SidePortError(f"the probe port: PUT {route} {query['path']}: {exchange.outcome()}")


async def connect_probe(port: SidePort) -> HttpProbe:
    """Ask the port who it is.

    Raises:
        SuiteError: it cannot be reached, refuses the key, or speaks another protocol.
    """
    return HttpProbe(port, await port.features(PROTOCOL))
