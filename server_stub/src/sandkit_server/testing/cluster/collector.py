"""The control plane's own controllers that follow from stored objects: garbage, claims in use, jobs.

Each is a pure function from the state to the calls it would make now. Any order of them, and any delay, is
one a real cluster may show; so a test plays them to the end, and the explorer interleaves them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sandkit_server.kubernetes.calls import Call, Object, Propagation, delete, merge
from sandkit_server.kubernetes.resources import CLAIMS, PODS
from sandkit_server.testing.cluster.kinds import CLAIM_PROTECTION
from sandkit_server.testing.cluster.state import Key, State
from sandkit_server.testing.cluster.storage import FOREGROUND, ORPHAN


def collect(state: State) -> Iterator[Call]:
    """What the garbage collector would do: dependents first where the deletion is foreground."""
    owners = {found["metadata"]["uid"]: found for found in state.objects.values()}
    for key in state.taken():
        found = state.objects[key]
        if _deletes_dependents(found):
            if not any(_blocks(each, found) for each in state.objects.values()):
                yield _without_finalizer(key, found, FOREGROUND)
        elif _has_finalizer(found, ORPHAN):
            yield from _orphaning(state, key, found)
        if not _is_deleted(found) or _deletes_dependents(found):
            yield from _attempt(state, key, owners)


def release_claims(state: State) -> Iterator[Call]:
    """A deleted claim stays until no pod on a node mounts it any more."""
    used = {name for pod in state.all(PODS) for name in claims_of(pod) if pod["spec"].get("nodeName")}
    for claim in state.all(CLAIMS):
        name = claim["metadata"]["name"]
        if _is_deleted(claim) and name not in used and _has_finalizer(claim, CLAIM_PROTECTION):
            yield _without_finalizer(Key(CLAIMS, name), claim, CLAIM_PROTECTION)


def claims_of(pod: Object) -> list[str]:
    """The names of the claims a pod mounts."""
    volumes: Sequence[dict[str, Any]] = pod["spec"].get("volumes", ())
    sources = [volume.get("persistentVolumeClaim") for volume in volumes]
    return [source["claimName"] for source in sources if source is not None]


def _attempt(state: State, key: Key, owners: dict[str, Object]) -> Iterator[Call]:
    """Delete an object none of whose owners holds it; else take away the references that hold nothing."""
    found = state.objects[key]
    references = found["metadata"].get("ownerReferences", [])
    if not references:
        return
    solid = [each for each in references if _holds(owners.get(each["uid"]))]
    if len(solid) == len(references):
        return
    metadata = found["metadata"]
    if solid:
        version = metadata["resourceVersion"]
        yield merge(key.resource, key.name, {"metadata": {"ownerReferences": solid}}, version=version)
    elif not _is_deleted(found):
        waiting = any(each["uid"] in owners for each in references)
        has_dependents = any(_depends(each, found) for each in state.objects.values())
        propagation = Propagation.FOREGROUND if waiting and has_dependents else Propagation.BACKGROUND
        yield delete(key.resource, key.name, uid=metadata["uid"], propagation=propagation)


def _orphaning(state: State, key: Key, owner: Object) -> Iterator[Call]:
    dependents = [other for other in state.taken() if _depends(state.objects[other], owner)]
    for other in dependents:
        metadata = state.objects[other]["metadata"]
        uid = owner["metadata"]["uid"]
        left = [each for each in metadata["ownerReferences"] if each["uid"] != uid]
        patch = {"metadata": {"ownerReferences": left}}
        yield merge(other.resource, other.name, patch, version=metadata["resourceVersion"])
    if not dependents:
        yield _without_finalizer(key, owner, ORPHAN)


def _holds(owner: Object | None) -> bool:
    return owner is not None and not _deletes_dependents(owner)


def _depends(candidate: Object, owner: Object) -> bool:
    uid = owner["metadata"]["uid"]
    return any(each["uid"] == uid for each in candidate["metadata"].get("ownerReferences", ()))


def _blocks(candidate: Object, owner: Object) -> bool:
    uid = owner["metadata"]["uid"]
    references = candidate["metadata"].get("ownerReferences", ())
    return any(each["uid"] == uid and each.get("blockOwnerDeletion") for each in references)


def _is_deleted(found: Object) -> bool:
    return "deletionTimestamp" in found["metadata"]


def _deletes_dependents(found: Object) -> bool:
    return _is_deleted(found) and _has_finalizer(found, FOREGROUND)


def _has_finalizer(found: Object, finalizer: str) -> bool:
    return finalizer in found["metadata"].get("finalizers", ())


def _without_finalizer(key: Key, found: Object, finalizer: str) -> Call:
    metadata = found["metadata"]
    left = [each for each in metadata["finalizers"] if each != finalizer]
    return merge(
        key.resource, key.name, {"metadata": {"finalizers": left}}, version=metadata["resourceVersion"]
    )
