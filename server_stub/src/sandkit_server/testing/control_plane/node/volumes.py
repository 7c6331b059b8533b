"""Volumes of the node: contents that outlive the pods that mount them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A volume as a container sees it. ``volume`` is the key of its contents."""

    path: str
    volume: str
    sub_path: str = ""
    read_only: bool = False


class Volumes:
    """Contents by key: ``claim:UID``, ``host:PATH``, or ``pod:UID/NAME`` for what goes with its pod."""

    def __init__(self) -> None:
        self._files: dict[str, dict[str, bytes]] = {}

    def files(self, key: str) -> dict[str, bytes]:
        """The files of a volume, to be read and changed."""
        return self._files.setdefault(key, {})

    def discard(self, key: str) -> None:
        """Forget a volume with everything in it."""
        self._files.pop(key, None)

    def discard_pod(self, uid: str) -> None:
        """Forget what goes with a pod."""
        for key in [key for key in self._files if key.startswith(f"pod:{uid}/")]:
            del self._files[key]


def claim_key(uid: str) -> str:
    """The key of a claim's contents; a later claim of the same name has others."""
    return f"claim:{uid}"


def claims_of(pod: Mapping[str, Any]) -> dict[str, str]:
    """The claims a pod mounts: name of its volume to name of the claim."""
    return {
        volume["name"]: volume["persistentVolumeClaim"]["claimName"]
        for volume in pod["spec"].get("volumes") or ()
        if "persistentVolumeClaim" in volume
    }


def mounts_of(
    pod: Mapping[str, Any], container: Mapping[str, Any], claims: Mapping[str, str]
) -> tuple[Mount, ...]:
    """What a container mounts; ``claims`` tells the uid of each claim by its name."""
    uid = pod["metadata"]["uid"]
    keys: dict[str, str] = {}
    for volume in pod["spec"].get("volumes") or ():
        name = volume["name"]
        if "persistentVolumeClaim" in volume:
            keys[name] = claim_key(claims[volume["persistentVolumeClaim"]["claimName"]])
        elif "hostPath" in volume:
            keys[name] = f"host:{volume['hostPath']['path'].rstrip('/')}"
        else:
            keys[name] = f"pod:{uid}/{name}"
    return tuple(
        Mount(
            path=mount["mountPath"],
            volume=keys[mount["name"]],
            sub_path=mount.get("subPath") or "",
            read_only=bool(mount.get("readOnly")),
        )
        for mount in container.get("volumeMounts") or ()
    )
