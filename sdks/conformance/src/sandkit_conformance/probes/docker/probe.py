"""The Docker probe: looks into the engine that a server keeps its sandboxes in."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import anyio
from attrs import frozen

from sandkit_conformance.drivers.side_port import SidePortError
from sandkit_conformance.probes.docker import objects
from sandkit_conformance.probes.docker.engine import Engine, connect
from sandkit_conformance.probes.docker.journal import Journal
from sandkit_conformance.probes.view import KINDS, View
from sandkit_conformance.target import DockerAddress

_FEATURES: Final = frozenset({"view", "files", "events", "seed", "environment"})
_MOUNT: Final = "/volume"
# What is read of a volume to see that its data is the same; of a larger one nothing is said.
_DIGEST_BYTES: Final = 1_048_576
_DIGEST_FILES: Final = 256


@frozen
class DockerProbe:
    """A `Probe` over the engine's API.

    Its view is not one instant: containers, volumes and images are listed one after the other.
    """

    engine: Engine
    journal: Journal
    address: DockerAddress
    features: frozenset[str] = _FEATURES

    async def view(self, kinds: Collection[str] = KINDS) -> View:  # noqa: ARG002 - all are cheap
        """See `Probe.view`."""
        containers = await self._containers({})
        images = await self.engine.ask("GET", "/images/json")
        sandboxes = [one for one in containers if objects.sandbox_of(one) is not None]
        return View.parse(
            {
                "workloads": [objects.workload_row(one) for one in sandboxes],
                "processes": [row for one in sandboxes if (row := objects.process_row(one))],
                "volumes": [
                    objects.volume_row(one, containers, await anyio.to_thread.run_sync(_digest, one))
                    for one in await self.engine.volumes()
                ],
                "snapshots": objects.snapshot_rows(images, self.address.snapshot_images),
                "images": objects.image_rows(images),
            }
        )

    async def events(self, after: int | None) -> tuple[list[dict[str, Any]], int]:
        """See `Probe.events`."""
        return await self.journal.after(after)

    async def read_file(
        self, path: str, *, sandbox: str | None = None, volume: str | None = None
    ) -> str | None:
        """See `Probe.read_file`."""
        if volume is None:
            container = await self._container(sandbox or "")
            return await self.engine.read_file(container["Id"], path) if container else None
        if await self.engine.ask("GET", f"/volumes/{volume}") is None:
            return None
        async with self._reaching_into(volume) as helper:
            return await self.engine.read_file(helper, f"{_MOUNT}/{path.lstrip('/')}")

    async def write_file(self, sandbox: str, path: str, text: str) -> None:
        """See `Probe.write_file`."""
        container = await self._container(sandbox)
        if container is None:
            raise SidePortError(f"the Docker engine: no container is the sandbox {sandbox}")
        await self.engine.write_files(container["Id"], {path: text})

    async def environment(self, sandbox: str) -> Mapping[str, str]:
        """See `Probe.environment`."""
        container = await self._container(sandbox)
        if container is None:
            raise SidePortError(f"the Docker engine: no container is the sandbox {sandbox}")
        return dict(entry.split("=", 1) for entry in container["Config"].get("Env") or [] if "=" in entry)

    async def create_volume(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `Probe.create_volume`."""
        name = str(fields["name"])
        payload = {"Name": name, "Labels": dict(fields.get("labels") or {})}
        volume = await self.engine.ask("POST", "/volumes/create", payload=payload)
        if fields.get("files"):
            async with self._reaching_into(name) as helper:
                files = {f"{_MOUNT}/{path.lstrip('/')}": text for path, text in fields["files"].items()}
                await self.engine.write_files(helper, files)
        return objects.volume_row(volume, ())

    async def create_workload(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `Probe.create_workload`; a container cannot be one that the API would not make."""
        raise SidePortError(f"the Docker probe makes no containers: {dict(fields)}")

    async def remove(self, kind: str, name: str) -> bool:
        """See `Probe.remove`."""
        if kind == "volume":
            return await self.engine.remove(f"/volumes/{name}")
        if kind == "workload":
            return await self.engine.remove(f"/containers/{name}")
        return await self.engine.remove(f"/images/{self.address.snapshot_images}:{name}")

    async def edit_volume(self, name: str, fields: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """See `Probe.edit_volume`; Docker's volumes never change."""
        raise SidePortError(f"Docker cannot edit a volume ({name}: {dict(fields)})")

    async def _container(self, sandbox: str) -> objects.Object | None:
        """The inspected container that is a sandbox."""
        found = await self._containers({"label": [f"{objects.ID_LABEL}={sandbox}"]})
        return found[0] if found else None

    async def _containers(self, filters: Mapping[str, list[str]]) -> list[objects.Object]:
        listed = await self.engine.list_containers(filters)
        inspected = [await self.engine.ask("GET", f"/containers/{one['Id']}/json") for one in listed]
        # One that has gone since it was listed is not there.
        return [one for one in inspected if one is not None]

    @asynccontextmanager
    async def _reaching_into(self, volume: str) -> AsyncIterator[str]:
        """A container with the volume in it that is never started, so that nothing runs."""
        payload = {"Image": self.address.image, "HostConfig": {"Binds": [f"{volume}:{_MOUNT}"]}}
        name = f"sandkit-probe-{secrets.token_hex(6)}"
        made = await self.engine.ask("POST", "/containers/create", query={"name": name}, payload=payload)
        if made is None:
            raise SidePortError(f"the Docker engine has no image {self.address.image}; load it there first")
        try:
            yield name
        finally:
            with anyio.CancelScope(shield=True):
                await self.engine.remove(f"/containers/{name}")


def _digest(volume: objects.Object) -> str | None:
    """A hash of a volume's files, where its folder can be read here and is small."""
    root = Path(str(volume.get("Mountpoint") or "/nonexistent"))
    total = hashlib.sha256()
    size = 0
    try:
        files = sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
        if not root.is_dir() or len(files) > _DIGEST_FILES:
            return None
        for path in files:
            size += path.stat().st_size
            if size > _DIGEST_BYTES:
                return None
            total.update(f"{path.relative_to(root)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    except OSError:
        return None
    return f"sha256:{total.hexdigest()}"


@asynccontextmanager
async def connect_docker(address: DockerAddress) -> AsyncIterator[DockerProbe]:
    """Connect to the engine, and keep a journal of it until the context is left.

    Raises:
        SuiteError: the engine cannot be reached, or its address is none.
    """
    async with connect(address.host) as engine:
        # The answer was under way for a while, so the engine's clock is ahead of ours by this at most.
        asked = time.time_ns()
        now = await engine.now()
        journal = Journal(engine, now, now - asked)
        failure: Exception | None = None
        async with anyio.create_task_group() as group:
            group.start_soon(journal.follow)
            try:
                yield DockerProbe(engine, journal, address)
            except Exception as error:  # noqa: BLE001 - raised again below, not wrapped into a group
                failure = error
            group.cancel_scope.cancel()
        if failure:
            raise failure
