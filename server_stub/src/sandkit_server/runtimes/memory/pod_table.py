"""Pods and their processes, warm ones of pools included."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sandkit_server.runtimes.memory.journal import Action, Journal
from sandkit_server.runtimes.memory.records import PodRecord, ProcessRecord
from sandkit_server.runtimes.memory.volume_table import VolumeTable


class PodTable:
    """All pods. A pod holds its claims as long as it exists."""

    def __init__(self, journal: Journal, volumes: VolumeTable) -> None:
        self._journal = journal
        self._volumes = volumes
        self._records: dict[str, PodRecord] = {}
        self._of_sandbox: dict[str, PodRecord] = {}

    def __iter__(self) -> Iterator[PodRecord]:
        return iter(list(self._records.values()))

    def of(self, sandbox_id: str) -> PodRecord | None:
        """The pod of a sandbox."""
        return self._of_sandbox.get(sandbox_id)

    def warm(self, pool: str) -> list[PodRecord]:
        """The pods of a pool that are ready to be given out."""
        return [pod for pod in self._records.values() if pod.pool == pool]

    def add(self, pod: PodRecord) -> None:
        """Start a pod."""
        self._records[pod.uid] = pod
        if pod.sandbox_id is not None:
            self._of_sandbox[pod.sandbox_id] = pod
        names = {volume.claim.claim_name for volume in pod.volumes if volume.claim is not None}
        self._volumes.mount(names, pod.uid)
        self._note("created", pod)
        for process in pod.processes:
            self._note_process("created", pod, process)

    def adopt(self, pod: PodRecord, sandbox_id: str) -> None:
        """Give a warm pod to a sandbox."""
        pod.pool = None
        pod.sandbox_id = sandbox_id
        self._of_sandbox[sandbox_id] = pod
        self._note("updated", pod)

    def remove(self, pod: PodRecord) -> None:
        """End a pod with its processes and release its claims."""
        if self._records.pop(pod.uid, None) is None:
            return
        if pod.sandbox_id is not None and self._of_sandbox.get(pod.sandbox_id) is pod:
            del self._of_sandbox[pod.sandbox_id]
        for process in pod.processes:
            self._note_process("deleted", pod, process)
        self._note("deleted", pod)
        self._volumes.unmount(pod.uid)

    def set_frozen(self, pod: PodRecord, frozen: bool) -> None:
        """Stop the processes of a pod in place, or let them go on."""
        if pod.uid not in self._records:
            return
        for process in pod.processes:
            if process.frozen != frozen:
                process.frozen = frozen
                self._note_process("updated", pod, process)

    def _note(self, action: Action, pod: PodRecord) -> None:
        picture = {"sandboxId": pod.sandbox_id, "uid": pod.uid, "imageRef": pod.image_ref, "pool": pod.pool}
        self._journal.record(action, "pod", pod.name, picture)

    def _note_process(self, action: Action, pod: PodRecord, process: ProcessRecord) -> None:
        self._journal.record(action, "process", f"{pod.name}/{process.pid}", process_picture(pod, process))


def process_picture(pod: PodRecord, process: ProcessRecord) -> dict[str, Any]:
    """A process as observers see it."""
    return {
        "sandboxId": pod.sandbox_id,
        "pid": process.pid,
        "command": list(process.command),
        "state": "frozen" if process.frozen else "running",
        "startedAt": process.started_at.isoformat(),
    }
