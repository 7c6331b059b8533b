"""The port for claims over the memory engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sandkit_server.core import ownership
from sandkit_server.core.port_errors import VersionConflict
from sandkit_server.core.ports import Claim, ClaimTemplate, OwnerReference
from sandkit_server.disturbance.faults import Subject
from sandkit_server.disturbance.strikes import Step, Steps
from sandkit_server.runtimes.memory.engine import MemoryEngine
from sandkit_server.runtimes.memory.volume_table import as_claim


class MemoryClaimStore:
    """Claims as one server process reaches them."""

    def __init__(self, engine: MemoryEngine, steps: Steps) -> None:
        self._engine = engine
        self._steps = steps

    async def get(self, name: str) -> Claim:
        """Read one claim."""
        async with self._steps.at("claim.get", Subject(name=name)):
            return as_claim(self._engine.volumes.get(name))

    async def list(self, labels: Mapping[str, str]) -> Sequence[Claim]:
        """All claims carrying all of ``labels``."""
        async with self._steps.at("claim.list", Subject(sandbox_id=labels.get(ownership.ID_LABEL))):
            wanted = labels.items()
            return [as_claim(volume) for volume in self._engine.volumes if wanted <= volume.labels.items()]

    async def create(self, template: ClaimTemplate) -> Claim:
        """Make a claim."""
        subject = Subject(name=template.name, sandbox_id=template.labels.get(ownership.ID_LABEL))
        async with self._steps.at("claim.create", subject):
            volume = self._engine.volumes.add(template.name, template.labels, storage=template.storage)
            return as_claim(volume)

    async def add_owner(self, name: str, uid: str, owner: OwnerReference) -> Claim:
        """Add one owner and keep all others; an owner that is gone already has the claim collected."""
        async with self._at("claim.patch", name):
            volume = self._engine.volumes.get(name, uid)
            self._engine.volumes.edit(volume, {}, [owner])
            self._engine.garbage.examine(volume)
            return as_claim(volume)

    async def delete(self, name: str, uid: str, version: str | None = None) -> None:
        """Delete a claim; one in use goes when it is released."""
        async with self._at("claim.delete", name):
            volume = self._engine.volumes.get(name, uid)
            if version not in (None, str(volume.version)):
                raise VersionConflict(f"claim {name} has changed")
            self._engine.volumes.delete(volume)

    def _at(self, point: str, name: str) -> Step:
        volume = self._engine.volumes.find(name)
        sandbox_id = volume.labels.get(ownership.ID_LABEL) if volume is not None else None
        return self._steps.at(point, Subject(name=name, sandbox_id=sandbox_id))
