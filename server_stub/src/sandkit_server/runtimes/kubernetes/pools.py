"""The port for pools, and the check whether one has something to give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sandkit_server.core.model import CreatePool, Pool, PoolCapacity, PoolContainer, PoolTemplate
from sandkit_server.core.port_errors import Exhausted, Unsupported, VersionConflict
from sandkit_server.kubernetes import calls
from sandkit_server.kubernetes.calls import Cluster, Object
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES
from sandkit_server.kubernetes.standing import created_at, pool_status_of
from sandkit_server.runtimes.kubernetes.objects import Objects
from sandkit_server.runtimes.kubernetes.pod_template import SANDBOX_CONTAINER, over_defaults, resources
from sandkit_server.runtimes.kubernetes.settings import PodSettings

_RETRY_SECONDS: Final = 1.0


class PoolGate:
    """Tells beforehand whether a pool can give a sandbox, as far as the caches know.

    Two servers may both let the last one through; the later sandbox then waits until the pool can serve it.
    """

    def __init__(self, pools: Objects, workloads: Objects) -> None:
        self._pools = pools
        self._workloads = workloads

    async def admit(self, name: str) -> tuple[str, ...]:
        """How the pool starts its sandboxes. Raises NotFound, and Exhausted when all of them are in use."""
        pool = await self._pools.get(name)
        drawn = sum(obj["spec"].get("poolRef") == name for obj in self._workloads)
        if drawn >= pool["spec"]["capacitySpec"]["poolMax"]:
            raise Exhausted("pool", f"Pool {name} has no sandbox left to give right now.", _RETRY_SECONDS)
        container = pool["spec"]["template"]["spec"]["containers"][0]
        return (*(container.get("command") or ()), *(container.get("args") or ()))


class KubernetesPools:
    """Pools as one server process reaches them."""

    def __init__(self, cluster: Cluster, objects: Objects, pods: PodSettings) -> None:
        self._cluster = cluster
        self._objects = objects
        self._pods = pods

    async def create(self, pool: CreatePool) -> Pool:
        """Make a pool; the controller fills it."""
        body = {
            "metadata": {"name": pool.name},
            "spec": {
                "template": over_defaults(_template(pool.template), self._pods),
                "capacitySpec": _capacity(pool.capacity),
            },
        }
        return _pool(await self._objects.create(body))

    async def get(self, name: str) -> Pool:
        """Read one pool."""
        return _pool(await self._objects.get(name))

    async def list(self) -> Sequence[Pool]:
        """All pools by name, out of the cache."""
        return sorted((_pool(obj) for obj in self._objects), key=lambda pool: pool.name)

    async def set_capacity(self, name: str, capacity: PoolCapacity) -> Pool:
        """Replace the capacity."""
        return _pool(await self._objects.replace(name, {"spec": {"capacitySpec": _capacity(capacity)}}))

    async def delete(self, name: str) -> None:
        """Delete a pool that no sandbox is drawn from, with its warm pods."""
        pool = await self._objects.read(name)
        listed = await self._cluster.send(calls.list_all(BATCH_SANDBOXES))
        if any(obj["spec"].get("poolRef") == name for obj in listed["items"]):
            raise VersionConflict(f"pool {name} has sandboxes in use")
        # Not at a version: the controller counts in its status, and a pool that is filling is not in use.
        await self._objects.delete(name, uid=pool["metadata"]["uid"])


class NoPools:
    """The port where sandboxes run as a kind that has no pools."""

    async def create(self, pool: CreatePool) -> Pool:
        """Refuse."""
        raise _unsupported(f"create {pool.name}")

    async def get(self, name: str) -> Pool:
        """Refuse."""
        raise _unsupported(f"find {name}")

    async def list(self) -> Sequence[Pool]:
        """Refuse."""
        raise _unsupported("list any")

    async def set_capacity(self, name: str, capacity: PoolCapacity) -> Pool:  # noqa: ARG002
        """Refuse."""
        raise _unsupported(f"find {name}")

    async def delete(self, name: str) -> None:
        """Refuse."""
        raise _unsupported(f"find {name}")


def _unsupported(wish: str) -> Unsupported:
    return Unsupported(f"This runtime has no pools, so it cannot {wish}.")


def _pool(obj: Object) -> Pool:
    template = obj["spec"]["template"]
    labels, annotations = (template.get("metadata", {}).get(part) or {} for part in ("labels", "annotations"))
    capacity = obj["spec"]["capacitySpec"]
    return Pool(
        name=obj["metadata"]["name"],
        template=PoolTemplate(
            containers=tuple(_read_container(each) for each in template["spec"]["containers"]),
            labels=labels,
            annotations=annotations,
        ),
        capacity=PoolCapacity(
            buffer_min=capacity["bufferMin"],
            buffer_max=capacity["bufferMax"],
            pool_min=capacity["poolMin"],
            pool_max=capacity["poolMax"],
        ),
        status=pool_status_of(obj),
        created_at=created_at(obj),
    )


def _capacity(capacity: PoolCapacity) -> dict[str, int]:
    return {
        "bufferMin": capacity.buffer_min,
        "bufferMax": capacity.buffer_max,
        "poolMin": capacity.pool_min,
        "poolMax": capacity.pool_max,
    }


def _template(template: PoolTemplate) -> dict[str, Any]:
    metadata = {"labels": dict(template.labels), "annotations": dict(template.annotations)}
    containers = [
        _container(container, SANDBOX_CONTAINER if number == 0 else f"container-{number}")
        for number, container in enumerate(template.containers)
    ]
    return {
        "metadata": {key: value for key, value in metadata.items() if value},
        "spec": {"containers": containers},
    }


def _container(container: PoolContainer, name: str) -> dict[str, Any]:
    fields = {
        "name": container.name or name,
        "image": container.image,
        "command": list(container.command),
        "args": list(container.args),
        "env": [{"name": key, "value": text} for key, text in container.env.items()],
        "resources": resources(container.resource_limits, container.resource_requests),
    }
    return {field: value for field, value in fields.items() if value}


def _read_container(container: Mapping[str, Any]) -> PoolContainer:
    limits, requests = ((container.get("resources") or {}).get(part) or {} for part in ("limits", "requests"))
    return PoolContainer(
        image=container.get("image", ""),
        name=container.get("name"),
        command=tuple(container.get("command") or ()),
        args=tuple(container.get("args") or ()),
        env={each["name"]: each["value"] for each in container.get("env") or () if "value" in each},
        resource_limits=limits,
        resource_requests=requests,
    )
