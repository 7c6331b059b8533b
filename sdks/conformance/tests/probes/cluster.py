"""Objects as an API server shows them, and an API that tells what it is told to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import anyio
import anyio.lowlevel

from sandkit_conformance.probes.kubernetes.api import Kind, StaleWatchError


def pod(name: str, version: int = 1, *, claim: str | None = None, **fields: Any) -> dict[str, Any]:
    """A pod of a sandbox of the same name that runs; `fields` go over its metadata."""
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}] if claim else []
    container = {"name": "main", "image": "busybox:1.36", "command": ["sleep"], "args": ["60"]}
    state = {"running": {"startedAt": "2030-01-01T00:00:00Z"}}
    meta = {"name": name, "uid": f"uid-of-{name}", "resourceVersion": str(version)}
    return {
        "metadata": {**meta, "labels": {"opensandbox.io/id": name}, **fields},
        "spec": {"containers": [container], "volumes": volumes},
        "status": {"phase": "Running", "containerStatuses": [{"name": "main", "state": state}]},
    }


def snapshot(name: str, version: int = 1, **status: Any) -> dict[str, Any]:
    """A pause's snapshot of `box`."""
    labels = {"opensandbox.io/id": "box", "sandbox.opensandbox.io/purpose": "pause"}
    meta = {"name": name, "uid": f"uid-of-{name}", "resourceVersion": str(version), "labels": labels}
    return {"metadata": meta, "spec": {"sandboxName": "box"}, "status": status}


class TalkingApi:
    """Lists what is there; a watch gives what is put into it, in that order."""

    def __init__(self) -> None:
        self.there: dict[str, list[Mapping[str, Any]]] = {}
        self.version = 1
        self.watches: dict[str, Any] = {}
        self.stale: set[str] = set()

    async def list(self, kind: Kind) -> tuple[list[Mapping[str, Any]], int]:
        return list(self.there.get(kind.plural, [])), self.version

    async def watch(self, kind: Kind, version: int) -> AsyncIterator[tuple[str, Mapping[str, Any]]]:
        if kind.plural in self.stale:
            self.stale.discard(kind.plural)
            raise StaleWatchError
        send, receive = anyio.create_memory_object_stream[tuple[str, Mapping[str, Any]]](100)
        self.watches[kind.plural] = send
        async with send, receive:
            async for event in receive:
                yield event

    async def say(self, kind: Kind, change: str, obj: Mapping[str, Any]) -> None:
        """Let a change happen: it is in later lists, and told by the watch."""
        self.happen(kind, change, obj)
        while kind.plural not in self.watches:
            await anyio.lowlevel.checkpoint()
        await self.watches[kind.plural].send((change, obj))

    def happen(self, kind: Kind, change: str, obj: Mapping[str, Any]) -> None:
        """Let a change happen that no watch tells."""
        self.version = max(self.version, int(obj["metadata"]["resourceVersion"]))
        name = obj["metadata"]["name"]
        others = [one for one in self.there.get(kind.plural, []) if one["metadata"]["name"] != name]
        self.there[kind.plural] = others if change == "DELETED" else [*others, obj]
