"""What somebody else does to objects just before a step: takes them away, or makes them first."""

from __future__ import annotations

from sandkit_server.core import ownership
from sandkit_server.core.port_errors import PortError
from sandkit_server.disturbance.faults import Fault, Subject
from sandkit_server.kubernetes import calls
from sandkit_server.kubernetes.calls import Cluster, Propagation
from sandkit_server.kubernetes.resources import CLAIMS, SNAPSHOTS, Resource
from sandkit_server.testing.control_plane.node.registry import Registry

STRANGER = "sbx-stranger"


class Saboteur:
    """Carries out the actions ``steal`` and ``vanish``, as the administrator."""

    def __init__(self, cluster: Cluster, workloads: Resource, registry: Registry) -> None:
        self._cluster = cluster
        self._kinds = {"claim": CLAIMS, "workload": workloads, "snapshot": SNAPSHOTS}
        self._registry = registry

    async def __call__(self, point: str, fault: Fault, subject: Subject) -> None:
        """Do it to the subject of a step; what is not there any more, or already, is as good."""
        noun, name = point.partition(".")[0], subject.name
        if name is None:
            return
        try:
            if fault.action == "steal":
                await self._steal(name, fault.code or STRANGER)
            elif noun == "image":
                self._registry.remove(name.partition("@")[0])
            else:
                call = calls.delete(self._kinds[noun], name, propagation=Propagation.BACKGROUND)
                await self._cluster.send(call)
        except PortError:
            return

    async def _steal(self, name: str, owner: str) -> None:
        labels = {} if owner == "unlabelled" else ownership.management_labels(owner)
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
        body = {"metadata": {"name": name, "labels": labels}, "spec": spec}
        await self._cluster.send(calls.create(CLAIMS, body))
