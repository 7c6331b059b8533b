"""What a probe is: it observes, seeds what was there before, and removes behind the server's back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Protocol

from sandkit_conformance.probes.view import KINDS, View


class Probe(Protocol):
    """Shows what the API hides.

    Every method raises `SidePortError` when the probe itself does not work.
    """

    @property
    def features(self) -> frozenset[str]:
        """What it can: view, files, events, seed, environment."""
        ...

    async def view(self, kinds: Collection[str] = KINDS) -> View:
        """One look at everything, or at these kinds at least, where less is cheaper."""
        ...

    async def events(self, after: int | None) -> tuple[list[dict[str, Any]], int]:
        """The journal after a sequence number, and the newest number."""
        ...

    async def read_file(
        self, path: str, *, sandbox: str | None = None, volume: str | None = None
    ) -> str | None:
        """A file's content as text; None when it is not there."""
        ...

    async def write_file(self, sandbox: str, path: str, text: str) -> None:
        """Write into a sandbox's root file system, or into the volume mounted there."""
        ...

    async def environment(self, sandbox: str) -> Mapping[str, str]:
        """What the main process sees."""
        ...

    async def create_volume(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """Put a volume there as if it had been there before."""
        ...

    async def create_workload(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """Put a workload there that the API would not make."""
        ...

    async def remove(self, kind: str, name: str) -> bool:
        """Delete a volume, workload or snapshot object directly; False when it was not there."""
        ...

    async def edit_volume(self, name: str, fields: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Merge labels into a volume and append owners; the row after it, None when it is not there."""
        ...
