"""Names of what the controller makes: each follows from its owner, so that it can be made only once."""

from __future__ import annotations

import hashlib
import re
from typing import Final

# Job names become values of labels; a snapshot's name leaves room for `-release`.
_LONGEST_SNAPSHOT: Final = 55

_TAG: Final = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}", re.ASCII)
_PATH: Final = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*", re.ASCII)
_HOST: Final = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::[0-9]{1,5})?", re.ASCII)
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?", re.ASCII)
_CONTAINER_ID: Final = re.compile(r"[a-z0-9]+://([a-zA-Z0-9][a-zA-Z0-9_.-]*)", re.ASCII)
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)


def pod_name(sandbox: str, index: int) -> str:
    """A pod of a sandbox; the first has the sandbox's name, so of one replica there is at most one pod."""
    return sandbox if index == 0 else f"{sandbox}-{index}"


def warm_pod_name(pool: str, slot: int) -> str:
    """A warm pod of a pool; it keeps the name when it is given to a sandbox."""
    return f"{pool}-warm-{slot}"


def pause_snapshot_name(sandbox: str, attempt: int) -> str:
    """The snapshot of one attempt to pause."""
    suffix = f"-pause-{attempt}"
    room = _LONGEST_SNAPSHOT - len(suffix)
    if len(sandbox) > room:
        digest = hashlib.sha256(sandbox.encode()).hexdigest()[:8]
        sandbox = f"{sandbox[: room - 9].rstrip('-.')}-{digest}"
    return sandbox + suffix


def commit_job_name(snapshot: str) -> str:
    """The job that commits a snapshot's source."""
    return f"{snapshot}-commit"


def release_job_name(snapshot: str) -> str:
    """The job that lets the source of a failed commit run on."""
    return f"{snapshot}-release"


def image_reference(registry: str, sandbox: str, snapshot: str, container: str | None) -> str | None:
    """Where an image is pushed; ``container`` tells several ones of a pod apart.

    Gives ``None`` when that would not be a reference: nothing is escaped or cut, for such a name is wrong
    already.
    """
    host, *path = registry.split("/")
    tag = snapshot if container is None else f"{snapshot}-{container}"
    fits = _HOST.fullmatch(host) and _TAG.fullmatch(tag) and all(map(_PATH.fullmatch, (*path, sandbox)))
    return f"{registry}/{sandbox}:{tag}" if fits else None


def container_id(text: str) -> str | None:
    """The runtime's id out of ``containerID``, such as ``containerd://…``; ``None`` if it is none."""
    match = _CONTAINER_ID.fullmatch(text)
    return None if match is None else match[1]


def is_name(text: str) -> bool:
    """Whether ``text`` can be a name of an object, node or container: nothing in it is special to a shell."""
    return _NAME.fullmatch(text) is not None


def is_registry(text: str) -> bool:
    """Whether ``text`` is a registry's host, with a port or a path."""
    host, *path = text.split("/")
    return _HOST.fullmatch(host) is not None and all(map(_PATH.fullmatch, path))


def is_digest(text: object) -> bool:
    """Whether ``text`` is the digest of an image."""
    return isinstance(text, str) and _DIGEST.fullmatch(text) is not None
