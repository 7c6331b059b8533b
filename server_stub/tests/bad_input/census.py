"""Everything a request could leave behind, through the probe and through the API."""

from __future__ import annotations

from typing import Any

import httpx

from sandkit_server.testing import EmbeddedServer


class World:
    """A server with something of everything in it, a client that may use it, and the ids of what is there."""

    def __init__(self, server: EmbeddedServer) -> None:
        assert server.api_key is not None
        assert server.probe_key is not None
        self.server = server
        self.names: dict[str, str] = {}
        self.client = httpx.Client(
            base_url=server.base_url, headers={"OPEN-SANDBOX-API-KEY": server.api_key}, timeout=10
        )
        self._probe = httpx.Client(
            base_url=server.probe_url or "", headers={"SANDKIT-PROBE-KEY": server.probe_key}, timeout=10
        )

    def close(self) -> None:
        self.client.close()
        self._probe.close()

    def census(self) -> dict[str, Any]:
        """What exists now, without the time of looking; two of them are equal when nothing has happened."""
        view = self._probe.get("/v1/view").raise_for_status().json()
        del view["time"]
        last = self._probe.get("/v1/events", params={"after": 10**9}).raise_for_status().json()["last"]
        listed = {
            path: self.client.get(path, params={"pageSize": 200}).raise_for_status().json()
            for path in ("/sandboxes", "/snapshots", "/pools")
        }
        return {"view": view, "journal": last, **listed}
