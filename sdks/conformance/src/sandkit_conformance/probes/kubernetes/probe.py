"""The probe over a cluster's API server: lists for the view, watches for the journal, writes for seeds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import anyio
from attrs import frozen

from sandkit_conformance.drivers.side_port import SidePortError
from sandkit_conformance.failures import SuiteError
from sandkit_conformance.probes.http import HttpProbe
from sandkit_conformance.probes.kubernetes import objects, seeds
from sandkit_conformance.probes.kubernetes.api import Api, Kind, Object
from sandkit_conformance.probes.kubernetes.journal import Journal, Subject
from sandkit_conformance.probes.kubernetes.kubeconfig import read_kubeconfig
from sandkit_conformance.probes.view import KINDS, View
from sandkit_conformance.target import ClusterAddress

_OWN: Final = frozenset({"view", "events", "seed"})
# What only somebody inside can show; without an agent it is unobservable.
_AGENTS: Final = frozenset({"files", "environment"})


@frozen
class KubernetesProbe:
    """A `Probe` of one namespace. `agent`, where there is one, looks into the sandboxes themselves."""

    api: Api
    journal: Journal
    workloads: Kind
    own_group: bool
    agent: HttpProbe | None = None

    @property
    def features(self) -> frozenset[str]:
        """See `Probe.features`."""
        return _OWN | (_AGENTS & self.agent.features if self.agent else frozenset())

    async def view(self, kinds: Collection[str] = KINDS) -> View:
        """See `Probe.view`."""
        rows: dict[str, Any] = {}
        pods: list[Object] = []
        inner: View | None = None
        if not {"workloads", "volumes", "processes", "secrets"}.isdisjoint(kinds):
            pods, _ = await self.api.list(objects.PODS)
        if self.agent and not {"volumes", "processes"}.isdisjoint(kinds):
            inner = await self.agent.view()
        if "workloads" in kinds:
            found, _ = await self.api.list(self.workloads)
            rows["workloads"] = [objects.workload_row(one, pods) for one in found]
        if "volumes" in kinds:
            claims, _ = await self.api.list(objects.CLAIMS)
            digests = {row["uid"]: row["digest"] for row in inner.kind("volumes")} if inner else {}
            volumes = [objects.volume_row(one, pods) for one in claims]
            rows["volumes"] = [{**row, "digest": digests.get(row["uid"])} for row in volumes]
        if "processes" in kinds:
            told = [row for pod in pods for row in objects.process_rows(pod)]
            rows["processes"] = [dict(row) for row in inner.kind("processes")] if inner else told
        if "jobs" in kinds:
            rows["jobs"] = [objects.job_row(one) for one in (await self.api.list(objects.JOBS))[0]]
        if "secrets" in kinds:
            users = objects.secret_users(pods)
            secrets, _ = await self.api.list(objects.SECRETS, metadata_only=True)
            rows["secrets"] = [objects.secret_row(one, users) for one in secrets]
        if self.own_group:
            rows |= await self._own_kinds(kinds)
        return View.parse({**rows, "time": inner.time if inner else None})

    async def events(self, after: int | None) -> tuple[list[dict[str, Any]], int]:
        """See `Probe.events`."""
        return await self.journal.after(after)

    async def read_file(
        self, path: str, *, sandbox: str | None = None, volume: str | None = None
    ) -> str | None:
        """See `Probe.read_file`."""
        return await self._inside().read_file(path, sandbox=sandbox, volume=volume)

    async def write_file(self, sandbox: str, path: str, text: str) -> None:
        """See `Probe.write_file`."""
        await self._inside().write_file(sandbox, path, text)

    async def environment(self, sandbox: str) -> Mapping[str, str]:
        """See `Probe.environment`."""
        return await self._inside().environment(sandbox)

    async def create_volume(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `Probe.create_volume`."""
        claim = await seeds.create_claim(self.api, fields)
        for path, text in (fields.get("files") or {}).items():
            await self._inside().write_volume_file(str(fields["name"]), path, text)
        return objects.volume_row(claim)

    async def create_workload(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `Probe.create_workload`."""
        if not self.own_group:
            raise SidePortError(f"the probe seeds no workloads of the kind {self.workloads.name}")
        made = await self.api.create(self.workloads, seeds.workload(fields))
        return objects.workload_row(made, ())

    async def remove(self, kind: str, name: str) -> bool:
        """See `Probe.remove`."""
        kinds = {"volume": objects.CLAIMS, "workload": self.workloads, "snapshot": objects.SNAPSHOTS}
        if not await self.api.delete(kinds[kind], name):
            return False
        await seeds.wait_until_gone(self.api, kinds[kind], name)
        return True

    async def edit_volume(self, name: str, fields: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """See `Probe.edit_volume`."""
        claim = await seeds.edit_claim(self.api, name, fields)
        return None if claim is None else objects.volume_row(claim, (await self.api.list(objects.PODS))[0])

    async def _own_kinds(self, kinds: Collection[str]) -> dict[str, Any]:
        rows: dict[str, Any] = {}
        if not {"snapshots", "images"}.isdisjoint(kinds):
            found, _ = await self.api.list(objects.SNAPSHOTS)
            rows["snapshots"] = [objects.snapshot_row(one) for one in found]
            rows["images"] = [row for one in found for row in objects.image_rows(one)]
        if "pools" in kinds:
            rows["pools"] = [objects.pool_row(one) for one in (await self.api.list(objects.POOLS))[0]]
        return rows

    def _inside(self) -> HttpProbe:
        if self.agent is None:
            raise SidePortError("only an agent can look into sandboxes; name one in the target file")
        return self.agent


@asynccontextmanager
async def connect_cluster(address: ClusterAddress, agent: HttpProbe | None) -> AsyncIterator[KubernetesProbe]:
    """Look which kinds the cluster serves, and follow them while the context lasts.

    Raises:
        SuiteError: the cluster cannot be reached, or serves no kind of workload this suite knows.
    """
    server = read_kubeconfig(address.kubeconfig, address.context)
    async with Api(server, address.namespace or server.namespace or "default") as api:
        workloads = await _workloads(api, address.workloads)
        own_group = workloads is objects.BATCH_SANDBOXES
        subjects = [
            Subject(objects.PODS, "pod", objects.pod_row),
            Subject(objects.CLAIMS, "volume", objects.volume_row),
            Subject(objects.JOBS, "job", objects.job_row),
            Subject(workloads, "workload", lambda obj: objects.workload_row(obj, ())),
        ]
        if own_group:
            subjects.append(Subject(objects.SNAPSHOTS, "snapshot", objects.snapshot_row))
        journal = Journal(api, tuple(subjects))
        failure: Exception | None = None
        async with anyio.create_task_group() as group:
            group.start_soon(journal.run)
            try:
                # Only what happens from now on is told, so begin before anything does.
                await journal.after(None)
                yield KubernetesProbe(api, journal, workloads, own_group, agent)
            except Exception as error:  # noqa: BLE001 - raised again below; the group would wrap it
                failure = error
            group.cancel_scope.cancel()
        if failure is not None:
            raise failure


async def _workloads(api: Api, wanted: str) -> Kind:
    known = (objects.BATCH_SANDBOXES,) if wanted == "batchsandboxes" else objects.AGENT_SANDBOXES
    for kind in known:
        if await api.serves(kind):
            return kind
    raise SuiteError(f"the cluster serves no {wanted}; are the definitions installed?")
