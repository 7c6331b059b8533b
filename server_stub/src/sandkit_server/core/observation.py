"""Looking into an engine from outside the API, disturbing it on purpose, and reaching its ports.

The probe only observes and seeds; control injects faults, moves the clock and restarts the server. They are
separate listeners with separate keys, off unless asked for. Answers are JSON-ready values with the key
names of the protocols ``sandkit-probe/1`` and ``sandkit-control/1``. Refusals are
:class:`~sandkit_server.core.errors.SandkitError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

JsonObject = dict[str, Any]


class Probe(Protocol):
    """The normalised view of what the API hides."""

    def info(self) -> JsonObject:
        """Protocol name and capabilities."""
        ...

    async def view(self) -> JsonObject:
        """Everything that exists now, by kind."""
        ...

    async def events(self, after: int) -> JsonObject:
        """The journal behind sequence number ``after``, and the last number."""
        ...

    async def read_file(self, sandbox_id: str, path: str) -> bytes:
        """A file as the sandbox sees it."""
        ...

    async def write_file(self, sandbox_id: str, path: str, content: bytes) -> None:
        """Write a file as the sandbox would: into a volume below its mount, else into the root."""
        ...

    async def read_volume_file(self, volume: str, path: str) -> bytes:
        """A file of a volume, whether it is mounted or not."""
        ...

    async def write_volume_file(self, volume: str, path: str, content: bytes) -> None:
        """Write into a volume, whether it is mounted or not."""
        ...

    async def environment(self, sandbox_id: str) -> JsonObject:
        """The environment of the sandbox's main process."""
        ...

    async def seed_volume(self, body: JsonObject) -> JsonObject:
        """Make a volume behind the server's back: ``name``, ``labels``, ``owners``, ``files``."""
        ...

    async def edit_volume(self, name: str, body: JsonObject) -> JsonObject:
        """Change a volume behind the server's back: ``labels`` are merged, ``owners`` appended."""
        ...

    async def delete_volume(self, name: str) -> None:
        """Delete a volume behind the server's back."""
        ...

    async def seed_workload(self, body: JsonObject) -> JsonObject:
        """Make a workload behind the server's back: ``sandboxId``, ``replicas``, ``metadata``, ``state``."""
        ...

    async def delete_workload(self, name: str) -> None:
        """Delete a workload object behind the server's back; the engine's own garbage collection follows."""
        ...

    async def delete_snapshot(self, snapshot_id: str) -> None:
        """Delete a snapshot object behind the server's back."""
        ...


class Control(Protocol):
    """Faults, gates, the clock and restarts."""

    def info(self) -> JsonObject:
        """Protocol name, points and capabilities."""
        ...

    async def advance(self, seconds: float) -> JsonObject:
        """Move the clock and return when everything due has settled."""
        ...

    async def add_fault(self, body: JsonObject) -> JsonObject:
        """Arm a fault."""
        ...

    async def list_faults(self) -> JsonObject:
        """Armed and spent faults, with how often each was hit."""
        ...

    async def remove_fault(self, fault_id: str | None) -> None:
        """Disarm one fault, or all."""
        ...

    async def add_gate(self, body: JsonObject) -> JsonObject:
        """Close a gate: whoever reaches the point is held there."""
        ...

    async def gate(self, gate_id: str, wait: float) -> JsonObject:
        """How many are held; waits up to ``wait`` real seconds for the first one."""
        ...

    async def release_gate(self, gate_id: str) -> JsonObject:
        """Let those held go and keep the gate open."""
        ...

    async def remove_gate(self, gate_id: str) -> None:
        """Release and forget a gate."""
        ...

    async def restart(self, body: JsonObject) -> JsonObject:
        """Kill the server (or close it gracefully) and compose a new one over the same engine."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DataPlaneAnswer:
    """What a port of a sandbox answered."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class DataPlane(Protocol):
    """The sandboxes' own ports, as far as the runtime can reach them for its clients."""

    async def handle(
        self, sandbox_id: str, port: int, path: str, headers: Mapping[str, str]
    ) -> DataPlaneAnswer:
        """What the port answers to one GET request.

        ``path`` is percent-encoded, with the query if there is one; header names are lower-case.

        Raises SandkitError when there is no such sandbox, the access token is missing or not valid, or
        nothing can listen because the sandbox does not run.
        """
        ...
