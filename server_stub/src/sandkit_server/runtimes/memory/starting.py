"""Starting the pod of a sandbox, for the first time and after a pause."""

from __future__ import annotations

from collections.abc import Mapping

from sandkit_server.core.model import SandboxState
from sandkit_server.runtimes.memory.failure import StepFailed, blamed_on
from sandkit_server.runtimes.memory.identity import new_uid
from sandkit_server.runtimes.memory.records import PodRecord, ProcessRecord, WorkloadRecord
from sandkit_server.runtimes.memory.workload_table import timestamp
from sandkit_server.runtimes.memory.workshop import Workshop


class Starter:
    """Pending to Running, and the part of Resuming that brings a pod up."""

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop
        self._engine = shop.engine

    async def start(self, record: WorkloadRecord) -> None:
        """Bring a new sandbox up, or fail it with the reason."""
        workloads = self._engine.workloads
        await self._shop.pace()
        try:
            await self.bring_up(record, SandboxState.PENDING, record.spec.image_ref)
        except StepFailed as failure:
            workloads.transition(
                record, SandboxState.PENDING, SandboxState.FAILED, failure.reason, failure.message
            )
            return
        workloads.transition(record, SandboxState.PENDING, SandboxState.RUNNING)

    async def bring_up(self, record: WorkloadRecord, state: SandboxState, committed: str | None) -> None:
        """Have the pod run from the ``committed`` image, or from its public one. Raises StepFailed.

        A pod that is there already, from a pool or from a server that was killed, is used as it is.
        """
        if self._engine.pods.of(record.id) is None:
            ref = committed or record.image_uri or ""
            files = await self._pull(record, ref, is_committed=committed is not None)
            self._require_claims(record)
            with blamed_on("PodRefused"):
                async with self._shop.at("pod.create", record):
                    self._engine.workloads.require(record, state)
                    self._engine.pods.add(self._pod(record, ref, files))
        with blamed_on("ReadinessFailed"):
            async with self._shop.at("workload.ready", record):
                pass
        command = " ".join(record.spec.entrypoint)
        record.output.append(f"{timestamp(self._engine.clock.now())} started: {command}")

    async def _pull(self, record: WorkloadRecord, ref: str, *, is_committed: bool) -> Mapping[str, bytes]:
        with blamed_on("ImagePullFailed"):
            async with self._shop.at("image.pull", record, ref):
                image = self._engine.images.find(ref)
        if image is None and is_committed:
            raise StepFailed("ImageMissing", f"image {ref} is not in the registry any more")
        return image.files if image is not None else {}

    def _require_claims(self, record: WorkloadRecord) -> None:
        for volume in record.spec.request.volumes:
            if volume.claim is None:
                continue
            claim = self._engine.volumes.find(volume.claim.claim_name)
            if claim is None or claim.terminating:
                raise StepFailed(
                    "VolumeMissing", f"claim {volume.claim.claim_name} is not there to be mounted"
                )

    def _pod(self, record: WorkloadRecord, ref: str, files: Mapping[str, bytes]) -> PodRecord:
        uid = new_uid()
        process = ProcessRecord(pid=1, command=record.spec.entrypoint, started_at=self._engine.clock.now())
        return PodRecord(
            uid=uid,
            name=f"{record.id}-{uid[:8]}",
            image_ref=ref,
            env=dict(record.spec.env),
            processes=[process],
            rootfs=dict(files),
            volumes=record.spec.request.volumes,
            sandbox_id=record.id,
        )
