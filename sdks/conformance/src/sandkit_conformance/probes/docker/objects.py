"""What objects of a Docker engine say, in the terms of the view: pure functions of decoded JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

Object = Mapping[str, Any]

ID_LABEL: Final = "opensandbox.io/id"
# What a change of a container comes to; execs, network and the rest are nobody's promise.
_CONTAINER_CHANGES: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "create": (("workload", "created"),),
    "start": (("pod", "created"),),
    "pause": (("workload", "updated"),),
    "unpause": (("workload", "updated"),),
    "die": (("pod", "deleted"),),
    "destroy": (("workload", "deleted"),),
}
_CHANGES: Final[Mapping[str, Mapping[str, tuple[tuple[str, str], ...]]]] = {
    "container": _CONTAINER_CHANGES,
    "volume": {"create": (("volume", "created"),), "destroy": (("volume", "deleted"),)},
    "image": {"tag": (("image", "created"),), "untag": (("image", "deleted"),)},
}
_PHASES: Final[Mapping[str, str]] = {"pause": "paused", "unpause": "running"}


def container_labels(container: Object) -> dict[str, str]:
    """The labels of an inspected container."""
    return dict((container.get("Config") or {}).get("Labels") or {})


def sandbox_of(container: Object) -> str | None:
    """The sandbox that an inspected container is; None for any other container."""
    return container_labels(container).get(ID_LABEL)


def workload_row(container: Object) -> dict[str, Any]:
    """An inspected container as a workload and its pod, for it is both."""
    state = container.get("State") or {}
    return {
        "name": str(container.get("Name", "")).lstrip("/"),
        "sandboxId": sandbox_of(container),
        "uid": container.get("Id"),
        "apiVersion": "docker",
        "kind": "Container",
        "phase": state.get("Status"),
        "replicas": 1,
        "podRunning": bool(state.get("Running")),
        "podUid": container.get("Id") if state.get("Running") else None,
        "imageRef": (container.get("Config") or {}).get("Image"),
        "labels": container_labels(container),
    }


def process_row(container: Object) -> dict[str, Any] | None:
    """The main process of an inspected container; None when there is none."""
    state = container.get("State") or {}
    if not state.get("Running") or not state.get("Pid"):
        return None
    return {
        "sandboxId": sandbox_of(container),
        "pid": state["Pid"],
        "command": [container.get("Path"), *(container.get("Args") or [])],
        "state": "frozen" if state.get("Paused") else "running",
        "startedAt": state.get("StartedAt"),
    }


def volume_row(volume: Object, containers: Iterable[Object], digest: str | None = None) -> dict[str, Any]:
    """A named volume, and the sandboxes it is mounted in.

    The name is all the identity that Docker gives a volume: that one was made again only the journal shows.
    """
    users = {sandbox_of(container) for container in containers if _mounts(container, volume)}
    return {
        "name": volume["Name"],
        "uid": volume["Name"],
        "labels": dict(volume.get("Labels") or {}),
        "owners": [],
        "phase": "Bound",
        "mountedBy": sorted(one for one in users if one),
        "digest": digest,
    }


def _mounts(container: Object, volume: Object) -> bool:
    """Whether the container mounts the volume by name, or a folder inside of it by path."""
    folder = str(volume.get("Mountpoint") or "")
    for mount in container.get("Mounts") or []:
        if mount.get("Type") == "volume" and mount.get("Name") == volume["Name"]:
            return True
        source = str(mount.get("Source") or "")
        if folder and (source == folder or source.startswith(f"{folder}/")):
            return True
    return False


def image_rows(images: Iterable[Object]) -> list[dict[str, Any]]:
    """Every name that an image goes by."""
    return [{"ref": ref, "digest": image.get("Id")} for image in images for ref in _names(image)]


def snapshot_rows(images: Iterable[Object], repository: str | None) -> list[dict[str, Any]]:
    """Images of the repository that holds snapshots, whose tag is the snapshot's id."""
    if repository is None:
        return []
    return [
        {
            "id": ref.removeprefix(f"{repository}:"),
            "uid": image.get("Id"),
            "sandboxId": (image.get("Labels") or {}).get(ID_LABEL),
            "purpose": "user",
            "phase": "Ready",
            "imageRef": ref,
        }
        for image in images
        for ref in _names(image)
        if ref.startswith(f"{repository}:")
    ]


def _names(image: Object) -> Sequence[str]:
    return [ref for ref in image.get("RepoTags") or [] if ref != "<none>:<none>"]


def journal_entries(event: Object) -> list[dict[str, Any]]:
    """What an event of the engine says in the journal's terms; nothing for most, and for other containers."""
    actor = event.get("Actor") or {}
    attributes = actor.get("Attributes") or {}
    kind, action = str(event.get("Type")), str(event.get("Action"))
    if kind == "container" and ID_LABEL not in attributes:
        return []
    return [
        {
            "kind": what,
            "action": change,
            "name": attributes.get("name") if kind != "volume" else actor.get("ID"),
            "object": _changed(kind, action, actor, attributes),
        }
        for what, change in _CHANGES.get(kind, {}).get(action, ())
    ]


def _changed(kind: str, action: str, actor: Object, attributes: Object) -> dict[str, Any]:
    changed: dict[str, Any] = {"uid": actor.get("ID")}
    if kind == "container":
        changed["sandboxId"] = attributes.get(ID_LABEL)
        changed["labels"] = {
            name: value for name, value in attributes.items() if name not in {"name", "image"}
        }
        changed["phase"] = _PHASES.get(action)
    return changed
