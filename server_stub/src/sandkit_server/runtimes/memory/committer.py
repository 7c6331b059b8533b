"""Committing a root filesystem to an image, for a pause and for a user's snapshot alike."""

from __future__ import annotations

from sandkit_server.core.model import SnapshotState
from sandkit_server.disturbance.faults import Subject
from sandkit_server.disturbance.strikes import Step
from sandkit_server.runtimes.memory.failure import StepFailed, blamed_on
from sandkit_server.runtimes.memory.records import ImageRecord, JobRecord, PodRecord, SnapshotRecord
from sandkit_server.runtimes.memory.workshop import Workshop


class Committer:
    """Runs one commit job from freeze to push. Whatever happens, the source runs again afterwards."""

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop
        self._engine = shop.engine

    def check_registry(self) -> None:
        """Raise StepFailed when nothing could be pushed.

        Asked before anything is stopped (FLT-01, FLT-03).
        """
        registry = self._engine.settings.registry
        if registry is None:
            raise StepFailed("RegistryNotConfigured", "the operator has configured no registry")
        if registry.push_secret is None:
            raise StepFailed("PushSecretMissing", "the operator has configured no push secret")

    async def commit(self, snapshot: SnapshotRecord, pod: PodRecord) -> ImageRecord:
        """Make the image of ``snapshot`` and mark it Ready.

        Raises StepFailed; nothing is then left but the object.
        """
        job = JobRecord(name=f"commit-{snapshot.id}", sandbox_id=snapshot.sandbox_id, snapshot_id=snapshot.id)
        with blamed_on("CommitJobRefused"):
            async with self._at("job.create", snapshot, job.name):
                self._engine.jobs.add(job)
        succeeded = False
        try:
            deadline = self._engine.settings.commit_deadline
            image = await self._shop.within(deadline, "CommitDeadline", self._run(snapshot, pod))
            succeeded = True
        finally:
            if self._shop.is_alive:
                self._engine.pods.set_frozen(pod, False)
                self._engine.jobs.finish(job, succeeded=succeeded)
                self.discard_job(job)
        return image

    def discard_job(self, job: JobRecord) -> None:
        """Delete a job in the background, until it is gone."""

        async def attempt() -> None:
            subject = Subject(sandbox_id=job.sandbox_id, name=job.name)
            async with self._shop.steps.at("job.delete", subject):
                self._engine.jobs.remove(job)

        self._shop.insist_later(f"deletion of job {job.name}", attempt)

    async def _run(self, snapshot: SnapshotRecord, pod: PodRecord) -> ImageRecord:
        registry = self._engine.settings.registry
        assert registry is not None
        self._engine.pods.set_frozen(pod, True)
        with blamed_on("CommitFailed"):
            async with self._at("snapshot.commit", snapshot, snapshot.id):
                files = dict(pod.rootfs)
        self._engine.pods.set_frozen(pod, False)
        # The tag belongs to this attempt alone, so that a registry may refuse to overwrite.
        ref = f"{registry.repository}/{snapshot.sandbox_id}:{snapshot.id}"
        with blamed_on("PushFailed"):
            async with self._at("snapshot.push", snapshot, snapshot.id):
                image = self._engine.images.push(ref, files)
                snapshot.image_ref = image.ref
                self._engine.snapshots.transition(snapshot, SnapshotState.READY)
        return image

    def _at(self, point: str, snapshot: SnapshotRecord, name: str) -> Step:
        subject = Subject(sandbox_id=snapshot.sandbox_id, name=name, metadata=snapshot.metadata)
        return self._shop.steps.at(point, subject)
