"""One piece of a pod laid over another: the operator's under each sandbox's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

# What tells the entries of a list apart, as for a strategic merge patch; other lists are replaced whole.
_KEYS: Final[Mapping[str, str]] = {
    "containers": "name",
    "env": "name",
    "imagePullSecrets": "name",
    "initContainers": "name",
    "volumeMounts": "mountPath",
    "volumes": "name",
}


def overlay(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``under`` with everything that ``over`` says; neither is changed."""
    merged = dict(under)
    for name, value in over.items():
        below = merged.get(name)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            merged[name] = overlay(below, value)
        elif name in _KEYS and below:
            merged[name] = _overlay_list(below, value, _KEYS[name])
        else:
            merged[name] = value
    return merged


def _overlay_list(under: Sequence[Any], over: Sequence[Any], key: str) -> list[Any]:
    """Entries of both, those of ``over`` first; of one key, one over the other."""
    below = {entry[key]: entry for entry in under}
    return [overlay(below.pop(entry[key], {}), entry) for entry in over] + list(below.values())
