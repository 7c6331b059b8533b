"""An abstract cluster with nodes, a committer and the controller's decisions, all moved by the test."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sandkit_server.controller.config import Config
from sandkit_server.controller.decision import Note
from sandkit_server.controller.reconciler import KINDS, Outcome, Reconciler, Result
from sandkit_server.controller.views import Readers
from sandkit_server.core.model import SandboxState, SandboxStatus
from sandkit_server.kubernetes import standing
from sandkit_server.kubernetes.calls import Call, Cluster, Object, create, merge
from sandkit_server.kubernetes.resources import (
    BATCH_SANDBOXES,
    INTENT_ANNOTATION,
    JOBS,
    PODS,
    POOLS,
    SECRETS,
    SNAPSHOTS,
    TASK_LABEL,
    Resource,
)
from sandkit_server.testing.cluster import FakeCluster, node
from sandkit_server.testing.cluster.fake import CONTROL_PLANE, WILLING
from sandkit_server.testing.cluster.state import State

ID = "sbx-1"
CONFIG = Config(
    registry="registry.test/sandboxes",
    push_secret="push",
    pull_secret="pull",
    committer_image="committer:1",
)
TEMPLATE = {"spec": {"containers": [{"name": "main", "image": "python:3.12"}]}}


class StateReader:
    """The objects of one kind straight out of the cluster: a view is never stale."""

    def __init__(self, cluster: FakeCluster, resource: Resource) -> None:
        self._cluster = cluster
        self._resource = resource

    def get(self, name: str) -> Object | None:
        return self._cluster.find(self._resource, name)

    def items(self) -> Iterable[Object]:
        return list(self._cluster.all(self._resource))

    def labelled(self, key: str, value: str) -> Sequence[Object]:
        return [obj for obj in self.items() if obj["metadata"].get("labels", {}).get(key) == value]


@dataclass
class SteppingClock:
    """The cluster's time; nobody sleeps."""

    cluster: FakeCluster

    def now(self) -> datetime:
        return self.cluster.state.now

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nobody sleeps here")


@dataclass
class World:
    """One namespace. ``play`` lets everybody act until all is quiet."""

    config: Config = CONFIG
    cluster: FakeCluster = field(default_factory=FakeCluster)
    port: Cluster | None = None
    notes: list[Note] = field(default_factory=list)
    commits: bool = True

    def __post_init__(self) -> None:
        self.readers = Readers(
            sandboxes=StateReader(self.cluster, BATCH_SANDBOXES),
            snapshots=StateReader(self.cluster, SNAPSHOTS),
            pools=StateReader(self.cluster, POOLS),
            pods=StateReader(self.cluster, PODS),
            jobs=StateReader(self.cluster, JOBS),
        )
        self.cluster.act(
            create(SECRETS, {"metadata": {"name": "push"}, "type": "kubernetes.io/dockerconfigjson"})
        )

    # --- what the server and the operator do ------------------------------------------------------------

    def make(self, name: str = ID, **spec: Any) -> Object:
        body = {"replicas": 1, **({} if "poolRef" in spec else {"template": TEMPLATE}), **spec}
        return self.cluster.act(create(BATCH_SANDBOXES, {"metadata": {"name": name}, "spec": body}))

    def ask(self, *, pause: bool, name: str = ID) -> Object:
        """Write the intent as the server does: a new generation each time."""
        if self.sandbox(name)["spec"].get("pause") is pause:
            self.edit(name, pause=None)
        self.cluster.advance(1)
        annotations = {INTENT_ANNOTATION: standing.rfc3339(self.cluster.state.now)}
        patch = {"metadata": {"annotations": annotations}, "spec": {"pause": pause}}
        return self.cluster.act(merge(BATCH_SANDBOXES, name, patch))

    def edit(self, name: str = ID, **spec: Any) -> Object:
        return self.cluster.act(merge(BATCH_SANDBOXES, name, {"spec": spec}))

    def make_pool(self, name: str = "pool", **capacity: int) -> Object:
        sizes = {"bufferMin": 1, "bufferMax": 2, "poolMin": 0, "poolMax": 4, **capacity}
        spec = {"template": TEMPLATE, "capacitySpec": sizes}
        return self.cluster.act(create(POOLS, {"metadata": {"name": name}, "spec": spec}))

    # --- what is there ----------------------------------------------------------------------------------

    def sandbox(self, name: str = ID) -> Object:
        found = self.cluster.find(BATCH_SANDBOXES, name)
        assert found is not None
        return found

    def pod(self, name: str = ID) -> Object:
        found = self.cluster.find(PODS, name)
        assert found is not None
        return found

    def status(self, name: str = ID) -> SandboxStatus:
        return standing.state_of(self.sandbox(name))

    def state(self, name: str = ID) -> SandboxState:
        return self.status(name).state

    def names(self, resource: Resource) -> list[str]:
        return [obj["metadata"]["name"] for obj in self.cluster.all(resource)]

    def census(self) -> dict[str, list[str]]:
        kinds = (BATCH_SANDBOXES, SNAPSHOTS, PODS, JOBS)
        return {kind.plural: self.names(kind) for kind in kinds if self.names(kind)}

    # --- moving -----------------------------------------------------------------------------------------

    async def step(self, kind: Resource, name: str) -> Outcome:
        """One pass over one object."""
        clock = SteppingClock(self.cluster)
        port = self.port or self.cluster
        reconciler = Reconciler(port, {}, self.readers, clock, self.config, self.tell)
        return await reconciler.reconcile(KINDS[kind.kind], name)

    def tell(self, resource: Resource, obj: Object, note: Note) -> None:
        self.notes.append(note)

    async def reconcile(self) -> dict[tuple[str, str], Outcome]:
        """One pass over every object; nobody else acts."""
        keys = [(kind, name) for kind in (BATCH_SANDBOXES, SNAPSHOTS, POOLS) for name in self.names(kind)]
        return {(kind.kind, name): await self.step(kind, name) for kind, name in keys}

    async def play(self) -> None:
        """Controller, control plane, nodes and committer act until none of them has anything to do."""
        quiet = 0
        for _ in range(100):
            before = self.cluster.state.version
            outcomes = await self.reconcile()
            self.cluster.settle_with(*CONTROL_PLANE, node.terminate, *WILLING, self.commit)
            moved = self.cluster.state.version != before
            quiet = 0 if moved else quiet + 1
            # What failed is tried again; what fails for good is left after some rounds.
            if quiet and (quiet > 3 or all(each.result is Result.RESTED for each in outcomes.values())):
                return
        raise AssertionError("the world does not come to rest")

    async def run(self, name: str = ID, **spec: Any) -> None:
        """Make a sandbox and bring it up."""
        self.make(name, **spec)
        await self.play()
        assert self.state(name) is SandboxState.RUNNING

    def commit(self, state: State) -> Iterator[Call]:
        """The committer: every running job pod ends with what its arguments ask for."""
        for pod in state.all(PODS):
            task = pod["metadata"].get("labels", {}).get(TASK_LABEL)
            if task is None or pod.get("status", {}).get("phase") != "Running":
                continue
            if task == "release":
                yield node.end(pod, state.now)
            elif self.commits:
                yield node.end(pod, state.now, message=report(pod))

    def fail_commits(self, reason: str = "PushFailed", message: str = "denied", code: int = 1) -> None:
        """Let commits from now on end so."""
        self.commits = False
        healthy = self.commit

        def failing(state: State) -> Iterator[Call]:
            yield from healthy(state)
            for pod in state.all(PODS):
                is_commit = pod["metadata"].get("labels", {}).get(TASK_LABEL) == "commit"
                if is_commit and pod.get("status", {}).get("phase") == "Running":
                    text = json.dumps({"reason": reason, "message": message}) if reason else ""
                    yield node.end(pod, state.now, code=code, message=text)

        self.commit = failing  # type: ignore[method-assign]


def arguments(pod_or_job: Object) -> list[str]:
    """The committer's arguments."""
    spec = pod_or_job["spec"]
    spec = spec["template"]["spec"] if "template" in spec else spec
    return list(spec["containers"][0]["args"])


def report(pod: Object, **digests: str) -> str:
    """What the committer says when all went well."""
    images = dict(
        each.removeprefix("--image=").split("=", 1) for each in arguments(pod) if each.startswith("--image=")
    )
    return json.dumps(
        {
            "containers": [
                {"containerName": name, "imageUri": uri, "imageDigest": digests.get(name, digest(uri))}
                for name, uri in images.items()
            ]
        }
    )


def digest(uri: str) -> str:
    """A digest that differs for each image."""
    return f"sha256:{uri.encode().hex()[-64:].zfill(64)}"


def writes(cluster: FakeCluster) -> list[str]:
    """What was sent, in short: ``create pods``, ``patch batchsandboxes/status``."""
    return [
        f"{call.verb} {call.resource.plural}" + (f"/{call.subresource}" if call.subresource else "")
        for call in cluster.sent
    ]


def changed(config: Config = CONFIG, **fields: Any) -> Config:
    return replace(config, **fields)


def condition(obj: Object, kind: str) -> Mapping[str, Any]:
    found = standing.condition(obj, kind)
    assert found is not None, f"no condition {kind}"
    return found


async def running(**fields: Any) -> World:
    """A world whose sandbox is Running."""
    world = World(**fields)
    await world.run()
    return world


async def pausing(world: World | None = None) -> World:
    """A world whose sandbox is Pausing with a commit job that has a running pod."""
    world = world or await running()
    world.ask(pause=True)
    for _ in range(3):
        await world.reconcile()
        world.cluster.play()
    assert world.state() is SandboxState.PAUSING
    return world
