"""What is stored once all is quiet, held against what the living sandboxes own."""

from __future__ import annotations

from collections.abc import Iterator

from sandkit_server.core.model import SandboxState
from sandkit_server.core.ownership import MANAGED_BY_LABEL
from sandkit_server.kubernetes import standing
from sandkit_server.kubernetes.calls import Object
from sandkit_server.kubernetes.resources import (
    BATCH_SANDBOXES,
    CLAIMS,
    ID_LABEL,
    JOBS,
    PODS,
    PURPOSE_LABEL,
    PURPOSE_USER,
    SECRETS,
    SNAPSHOTS,
)

from .judged_cluster import KEPT, JudgedCluster
from .model import Model
from .virtual_loop import LoopClock

# Begins the names of claims that go with their sandbox, and that no two sandboxes ask for at the same time.
OWN = "own-"
# Begins the names of claims that several ask for, some of them opted in.
SHARED = "shared-"
AT_REST = frozenset({SandboxState.RUNNING, SandboxState.PAUSED, SandboxState.FAILED})


def differences(cluster: JudgedCluster, model: Model, clock: LoopClock) -> Iterator[str]:
    """Everything that is not as the model says."""
    sandboxes = {_name(each): each for each in cluster.all(BATCH_SANDBOXES)}
    if differs := model.sandboxes_differ(set(sandboxes), clock.now()):
        yield differs
    for name, sandbox in sandboxes.items():
        state, expiry = standing.state_of(sandbox).state, standing.expiry_of(sandbox)
        if state not in AT_REST:
            yield f"sandbox {name} stays {state}"
        if expiry is not None and expiry <= clock.now():
            yield f"sandbox {name} outlives its expiry"
    yield from _claims(cluster, sandboxes)
    yield from _pods(cluster, sandboxes)
    yield from _snapshots(cluster, model, sandboxes)
    if jobs := [_name(job) for job in cluster.all(JOBS)]:
        yield f"jobs are left: {jobs}"
    if (secrets := [_name(secret) for secret in cluster.all(SECRETS)]) != ["push"]:
        yield f"other secrets than before: {secrets}"


def _claims(cluster: JudgedCluster, sandboxes: dict[str, Object]) -> Iterator[str]:
    owned = {
        claim
        for sandbox in sandboxes.values()
        if standing.ever_ready(sandbox) or standing.state_of(sandbox).state is not SandboxState.FAILED
        for claim in _claims_of(sandbox)
        if claim.startswith(OWN)
    }
    there = {_name(claim): claim for claim in cluster.all(CLAIMS)}
    if missing := sorted(owned - there.keys()):
        yield f"claims of living sandboxes are missing: {missing}"
    if left := sorted(name for name in there.keys() - owned if name.startswith(OWN)):
        yield f"claims are left of sandboxes that are gone: {left}"
    for name, claim in there.items():
        labels = claim["metadata"].get("labels", {})
        manager = labels.get(ID_LABEL)
        owners = [owner["uid"] for owner in claim["metadata"].get("ownerReferences", ())]
        if manager is None:
            if owners or MANAGED_BY_LABEL in labels or name.startswith(OWN):
                yield f"claim {name} is half managed: {labels}, {owners}"
        elif name.startswith(KEPT):
            yield f"claim {name} was not opted in, and is managed"
        elif (sandbox := sandboxes.get(manager)) is None or name not in _claims_of(sandbox):
            yield f"claim {name} is left of sandbox {manager}"
        elif owners != [sandbox["metadata"]["uid"]]:
            yield f"claim {name} of sandbox {manager} is owned by {owners}"


def _pods(cluster: JudgedCluster, sandboxes: dict[str, Object]) -> Iterator[str]:
    there = {_name(pod): pod for pod in cluster.all(PODS)}
    for name, pod in there.items():
        sandbox = sandboxes.get(name)
        if sandbox is None or standing.state_of(sandbox).state is SandboxState.PAUSED:
            yield f"pod {name} is left"
        elif standing.state_of(sandbox).state is SandboxState.RUNNING and not _runs(pod):
            yield f"sandbox {name} is Running, and its pod is not"
    for name, sandbox in sandboxes.items():
        if standing.state_of(sandbox).state is SandboxState.RUNNING and name not in there:
            yield f"sandbox {name} is Running without a pod"
        if standing.is_abandoned(sandbox) and name in there:
            yield f"sandbox {name} was given up, and its pod is left"


def _snapshots(cluster: JudgedCluster, model: Model, sandboxes: dict[str, Object]) -> Iterator[str]:
    users, kept = set(), dict[str, int]()
    for snapshot in cluster.all(SNAPSHOTS):
        labels = snapshot["metadata"].get("labels", {})
        if labels.get(PURPOSE_LABEL) == PURPOSE_USER:
            users.add(_name(snapshot))
        else:
            kept[labels[ID_LABEL]] = kept.get(labels[ID_LABEL], 0) + 1
    if differs := model.snapshots_differ(users):
        yield differs
    paused = {
        name: 1
        for name, sandbox in sandboxes.items()
        if standing.state_of(sandbox).state is SandboxState.PAUSED
    }
    if kept != paused:
        yield f"pauses have kept {kept}, and paused are {sorted(paused)}"


def _runs(pod: Object) -> bool:
    return pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]


def _claims_of(sandbox: Object) -> list[str]:
    volumes = sandbox["spec"]["template"]["spec"].get("volumes", ())
    claims = (volume.get("persistentVolumeClaim") for volume in volumes)
    return [claim["claimName"] for claim in claims if claim is not None]


def _name(found: Object) -> str:
    name: str = found["metadata"]["name"]
    return name
