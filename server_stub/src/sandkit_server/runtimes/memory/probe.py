"""Observing and seeding the memory engine behind the server's back (protocol ``sandkit-probe/1``)."""

from __future__ import annotations

from typing import Any

from sandkit_server.core.errors import ErrorCode, FieldError, SandkitError, invalid_request
from sandkit_server.core.model import CreateSandbox, ImageSource, SandboxState
from sandkit_server.core.naming import dns_label_fault
from sandkit_server.core.observation import JsonObject
from sandkit_server.core.port_errors import PortError
from sandkit_server.core.ports import OwnerReference, WorkloadSpec
from sandkit_server.disturbance.fields import Fields
from sandkit_server.runtimes.memory.engine import MemoryEngine
from sandkit_server.runtimes.memory.identity import new_uid
from sandkit_server.runtimes.memory.records import PodRecord, ProcessRecord, VolumeRecord, WorkloadRecord
from sandkit_server.runtimes.memory.view import engine_view, volume_row, workload_row

PROTOCOL = "sandkit-probe/1"
CAPABILITIES = ("view", "files", "environment", "events", "seed")
SEED_COMMAND = ("tail", "-f", "/dev/null")


class MemoryProbe:
    """The probe of a memory engine. Passes no fault points: it is not part of what is being tested."""

    def __init__(self, engine: MemoryEngine) -> None:
        self._engine = engine

    def info(self) -> JsonObject:
        """Protocol name and capabilities."""
        return {"protocol": PROTOCOL, "capabilities": list(CAPABILITIES)}

    async def view(self) -> JsonObject:
        """Everything that exists now."""
        return engine_view(self._engine)

    async def events(self, after: int) -> JsonObject:
        """The journal behind ``after``."""
        entries = [
            {
                "seq": entry.seq,
                "at": entry.at.isoformat(),
                "action": entry.action,
                "kind": entry.kind,
                "name": entry.name,
                "object": entry.object,
            }
            for entry in self._engine.journal.after(after)
        ]
        return {"events": entries, "last": self._engine.journal.last}

    async def read_file(self, sandbox_id: str, path: str) -> bytes:
        """A file as the sandbox sees it."""
        files, inner, _ = self._engine.files_of(self._pod(sandbox_id), path)
        return _content(files.get(inner), path)

    async def write_file(self, sandbox_id: str, path: str, content: bytes) -> None:
        """Write a file as the sandbox would."""
        if not path.startswith("/") or path.endswith("/"):
            raise _refused("query:path", "absolute-path", "A path is absolute and names a file.")
        files, inner, read_only = self._engine.files_of(self._pod(sandbox_id), path)
        if read_only:
            raise _refused("query:path", "writable", f"{path} lies in a read-only mount.")
        files[inner] = content

    async def read_volume_file(self, volume: str, path: str) -> bytes:
        """A file of a volume, by its path inside the volume."""
        return _content(self._volume(volume).files.get(path.lstrip("/")), path)

    async def write_volume_file(self, volume: str, path: str, content: bytes) -> None:
        """Write into a volume, whether it is mounted or not."""
        self._volume(volume).files[path.lstrip("/")] = content

    async def environment(self, sandbox_id: str) -> JsonObject:
        """The environment of the sandbox's main process."""
        return {"env": dict(self._pod(sandbox_id).env)}

    async def seed_volume(self, body: JsonObject) -> JsonObject:
        """Make a volume as somebody else would."""
        fields = Fields(body, {"name", "labels", "owners", "files"})
        name = fields.text("name")
        if fault := dns_label_fault(name, longest=253):
            raise _refused("/name", "dns-label", f"A volume name {fault}.")
        files = {path.lstrip("/"): text.encode() for path, text in fields.texts("files").items()}
        owners = [_owner(entry) for entry in fields.objects("owners")]
        try:
            volume = self._engine.volumes.add(name, fields.texts("labels"), owners=owners, files=files)
        except PortError as error:
            raise _refused("/name", "unique-name", error.message) from error
        return volume_row(self._engine, volume)

    async def edit_volume(self, name: str, body: JsonObject) -> JsonObject:
        """Merge labels and append owners as somebody else would."""
        volume = self._volume(name)
        fields = Fields(body, {"labels", "owners"})
        owners = [_owner(entry) for entry in fields.objects("owners")]
        self._engine.volumes.edit(volume, fields.texts("labels"), owners)
        return volume_row(self._engine, volume)

    async def delete_volume(self, name: str) -> None:
        """Delete a volume as somebody else would."""
        self._engine.volumes.delete(self._volume(name))

    async def seed_workload(self, body: JsonObject) -> JsonObject:
        """Make a running workload as somebody else would."""
        fields = Fields(body, {"sandboxId", "replicas", "metadata"})
        sandbox_id = fields.text("sandboxId")
        if fault := dns_label_fault(sandbox_id):
            raise _refused("/sandboxId", "dns-label", f"A sandbox id {fault}.")
        request = CreateSandbox(
            image=ImageSource(uri="seeded"),
            entrypoint=SEED_COMMAND,
            metadata=fields.texts("metadata"),
            resource_limits={"cpu": "1"},
        )
        spec = WorkloadSpec(
            sandbox_id=sandbox_id, request=request, entrypoint=SEED_COMMAND, request_digest="", env={}
        )
        try:
            record = self._engine.workloads.add(spec, None, SandboxState.RUNNING)
        except PortError as error:
            raise _refused("/sandboxId", "unique-name", error.message) from error
        record.replicas = fields.number("replicas", 1)
        record.ever_ready = True
        self._engine.pods.add(_seeded_pod(self._engine, record))
        self._engine.workloads.publish(record)
        return workload_row(self._engine, record)

    async def delete_workload(self, name: str) -> None:
        """Remove a workload object directly; the garbage collector follows its edges (VOL-07)."""
        record = self._engine.workloads.find(name)
        if record is None:
            raise _unknown("workload", name)
        self._engine.remove_workload(record)

    async def delete_snapshot(self, snapshot_id: str) -> None:
        """Remove a snapshot object directly, leaving its image (RES-13)."""
        snapshot = self._engine.snapshots.find(snapshot_id)
        if snapshot is None:
            raise _unknown("snapshot", snapshot_id)
        self._engine.snapshots.remove(snapshot)

    def _pod(self, sandbox_id: str) -> PodRecord:
        pod = self._engine.pods.of(sandbox_id)
        if pod is None:
            raise _unknown("running sandbox", sandbox_id)
        return pod

    def _volume(self, name: str) -> VolumeRecord:
        volume = self._engine.volumes.find(name)
        if volume is None:
            raise _unknown("volume", name)
        return volume


def _seeded_pod(engine: MemoryEngine, record: WorkloadRecord) -> PodRecord:
    uid = new_uid()
    process = ProcessRecord(pid=1, command=SEED_COMMAND, started_at=engine.clock.now())
    return PodRecord(
        uid=uid,
        name=f"{record.id}-{uid[:8]}",
        image_ref="seeded",
        env={},
        processes=[process],
        sandbox_id=record.id,
    )


def _owner(entry: dict[str, Any]) -> OwnerReference:
    known = {"apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion"}
    fields = Fields(entry, known, "/owners")
    return OwnerReference(
        api_version=fields.text("apiVersion"),
        kind=fields.text("kind"),
        name=fields.text("name"),
        uid=fields.text("uid"),
        controller=fields.flag("controller"),
        block_owner_deletion=fields.flag("blockOwnerDeletion"),
    )


def _content(content: bytes | None, path: str) -> bytes:
    if content is None:
        raise _unknown("file", path)
    return content


def _unknown(what: str, name: str) -> SandkitError:
    return SandkitError(ErrorCode.REQUEST_ROUTE_NOT_FOUND, f"There is no {what} {name}.")


def _refused(pointer: str, rule: str, message: str) -> SandkitError:
    return invalid_request([FieldError(pointer, rule, message)])
