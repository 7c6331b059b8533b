"""What a decision looks at: one object and everything about it that the caches hold, at one moment.

Gathering is pure too, given readers; so the explorer builds its views, stale ones included, with the
product's own code.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from sandkit_server.controller.decision import NO_FACTS, Facts
from sandkit_server.controller.ownership import is_owned
from sandkit_server.kubernetes import standing
from sandkit_server.kubernetes.calls import Object
from sandkit_server.kubernetes.resources import (
    ID_LABEL,
    MANAGED_BY,
    MANAGED_LABEL,
    POOL_LABEL,
    PURPOSE_LABEL,
    PURPOSE_PAUSE,
    SNAPSHOT_LABEL,
)

MANAGED = {MANAGED_LABEL: MANAGED_BY}


class Reader(Protocol):
    """The objects of one kind; :class:`sandkit_server.kubernetes.cache.Cache` is one."""

    def get(self, name: str) -> Object | None:
        """The object of that name."""
        ...

    def items(self) -> Iterable[Object]:
        """All objects."""
        ...

    def labelled(self, key: str, value: str) -> Sequence[Object]:
        """The objects whose label ``key`` is ``value``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Readers:
    """What the controller watches; pods and jobs only those that carry :data:`MANAGED`.

    Indexed are, of sandboxes nothing, of snapshots the id, of pods the id, the pool and the snapshot, of jobs
    the snapshot.
    """

    sandboxes: Reader
    snapshots: Reader
    pools: Reader
    pods: Reader
    jobs: Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolUse:
    """What a pooled sandbox that waits for a pod needs to know.

    Attributes:
        pool: ``None`` when there is none of that name.
        warm: Its warm pods by name, ready or not.
    """

    pool: Object | None
    warm: Sequence[Object]


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxView:
    """A BatchSandbox, its pods and the snapshots of its pauses; both by name."""

    sandbox: Object
    pods: Sequence[Object]
    snapshots: Sequence[Object]
    pool: PoolUse | None = None
    facts: Facts = NO_FACTS


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotView:
    """A SandboxSnapshot, what it is taken of, and its jobs with their pods.

    Attributes:
        sandbox: ``None`` when it is gone.
        pods: The sandbox's.
        others: Further snapshots of the same sandbox, of any purpose; looked up only before it begins.
        jobs: Of this snapshot.
        job_pods: The pods of these jobs.
    """

    snapshot: Object
    sandbox: Object | None
    pods: Sequence[Object]
    others: Sequence[Object]
    jobs: Sequence[Object]
    job_pods: Sequence[Object]
    facts: Facts = NO_FACTS


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolView:
    """A Pool, its warm pods by name, and the sandboxes that refer to it.

    Attributes:
        names: Names that pods out of the pool have at present, also those that were given to sandboxes.
        taken: Sandboxes that have a pod out of it.
        waiting: Sandboxes that wait for one.
    """

    pool: Object
    warm: Sequence[Object]
    names: frozenset[str]
    taken: int
    waiting: int
    facts: Facts = NO_FACTS


def sandbox_view(readers: Readers, name: str, facts: Facts = NO_FACTS) -> SandboxView | None:
    """What is known about a BatchSandbox; ``None`` when there is none."""
    sandbox = readers.sandboxes.get(name)
    if sandbox is None:
        return None
    return SandboxView(
        sandbox=sandbox,
        pods=pods_of(readers, sandbox),
        snapshots=_by_name(
            snapshot
            for snapshot in readers.snapshots.labelled(ID_LABEL, name)
            if snapshot["metadata"]["labels"].get(PURPOSE_LABEL) == PURPOSE_PAUSE
            and is_owned(snapshot, sandbox)
        ),
        pool=_pool_use(readers, sandbox),
        facts=facts,
    )


def snapshot_view(readers: Readers, name: str, facts: Facts = NO_FACTS) -> SnapshotView | None:
    """What is known about a SandboxSnapshot; ``None`` when there is none."""
    snapshot = readers.snapshots.get(name)
    if snapshot is None:
        return None
    source = snapshot["spec"]["sandboxName"]
    sandbox = readers.sandboxes.get(source)
    return SnapshotView(
        snapshot=snapshot,
        sandbox=sandbox,
        pods=() if sandbox is None else pods_of(readers, sandbox),
        others=_others(readers, snapshot, source),
        jobs=_by_name(job for job in readers.jobs.labelled(SNAPSHOT_LABEL, name) if is_owned(job, snapshot)),
        job_pods=_by_name(readers.pods.labelled(SNAPSHOT_LABEL, name)),
        facts=facts,
    )


def pool_view(readers: Readers, name: str, facts: Facts = NO_FACTS) -> PoolView | None:
    """What is known about a Pool; ``None`` when there is none."""
    pool = readers.pools.get(name)
    if pool is None:
        return None
    prefix = f"{name}-warm-"
    members = [sandbox for sandbox in readers.sandboxes.items() if sandbox["spec"].get("poolRef") == name]
    with_pod = [bool(pods_of(readers, sandbox)) for sandbox in members]
    return PoolView(
        pool=pool,
        warm=_warm(readers, pool),
        names=frozenset(
            pod["metadata"]["name"]
            for pod in readers.pods.items()
            if pod["metadata"]["name"].startswith(prefix)
        ),
        taken=sum(with_pod),
        waiting=sum(not has and wants_pod(sandbox) for has, sandbox in zip(with_pod, members, strict=True)),
        facts=facts,
    )


def pods_of(readers: Readers, sandbox: Object) -> Sequence[Object]:
    """The pods of a sandbox by name; a pod that merely carries its label is none."""
    name = sandbox["metadata"]["name"]
    return _by_name(pod for pod in readers.pods.labelled(ID_LABEL, name) if is_owned(pod, sandbox))


def _pool_use(readers: Readers, sandbox: Object) -> PoolUse | None:
    name = sandbox["spec"].get("poolRef")
    if name is None or not wants_pod(sandbox):
        return None
    pool = readers.pools.get(name)
    return PoolUse(pool=pool, warm=() if pool is None else _warm(readers, pool))


def _others(readers: Readers, snapshot: Object, source: str) -> Sequence[Object]:
    """By what they are of, not by label: whoever made one need not have labelled it."""
    if standing.snapshot_phase_of(snapshot) is not standing.SnapshotPhase.PENDING:
        return ()
    return _by_name(
        other
        for other in readers.snapshots.items()
        if other["spec"]["sandboxName"] == source
        and other["metadata"]["name"] != snapshot["metadata"]["name"]
    )


def _warm(readers: Readers, pool: Object) -> Sequence[Object]:
    name = pool["metadata"]["name"]
    return _by_name(pod for pod in readers.pods.labelled(POOL_LABEL, name) if is_owned(pod, pool))


def wants_pod(sandbox: Object) -> bool:
    """Whether it wants a pod to start in."""
    return (
        standing.phase_of(sandbox) is standing.Phase.PENDING
        and standing.deletion_of(sandbox) is None
        and not standing.is_abandoned(sandbox)
        and standing.replicas_of(sandbox) > 0
    )


def _by_name(objects: Iterable[Object]) -> Sequence[Object]:
    return tuple(sorted(objects, key=lambda obj: str(obj["metadata"]["name"])))
