"""How the API server applies patches: RFC 7396, and strategic merge for the lists that have keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

# The lists of built-in kinds that strategic merge merges, by field name, with the key of their elements.
# A field that is not here is replaced whole.
MERGE_KEYS: Final[Mapping[str, str]] = {
    "ownerReferences": "uid",
    "conditions": "type",
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "imagePullSecrets": "name",
    "ports": "containerPort",
}
# Lists of plain values that strategic merge unites.
_SETS: Final = frozenset({"finalizers"})
_DIRECTIVE: Final = "$patch"


def merge_patch(target: Any, patch: Any) -> Any:
    """``target`` changed as RFC 7396 says; neither argument is changed."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def strategic_merge_patch(target: Any, patch: Any) -> Any:
    """``target`` changed by a strategic merge patch; neither argument is changed.

    Of the directives it understands ``$patch: replace``, ``$patch: delete`` and ``$deleteFromPrimitiveList``.
    """
    if not isinstance(patch, Mapping):
        return patch
    if patch.get(_DIRECTIVE) == "replace":
        return {key: value for key, value in patch.items() if key != _DIRECTIVE}
    result = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if key.startswith("$deleteFromPrimitiveList/"):
            field = key.partition("/")[2]
            result[field] = [item for item in result.get(field, ()) if item not in value]
        elif value is None:
            result.pop(key, None)
        elif isinstance(value, Sequence) and not isinstance(value, str):
            result[key] = _merged_list(key, result.get(key) or (), value)
        else:
            result[key] = strategic_merge_patch(result.get(key), value)
    return result


def _merged_list(field: str, target: Sequence[Any], patch: Sequence[Any]) -> list[Any]:
    if field in _SETS:
        return [*target, *(item for item in patch if item not in target)]
    key = MERGE_KEYS.get(field)
    if key is None:
        return list(patch)
    if any(_DIRECTIVE in item and key not in item for item in patch):
        return [item for item in patch if _DIRECTIVE not in item]
    changes = {item[key]: item for item in patch}
    merged = [
        strategic_merge_patch(item, changes.pop(item[key])) if item[key] in changes else item
        for item in target
        if changes.get(item[key], {}).get(_DIRECTIVE) != "delete"
    ]
    added = [item for item in changes.values() if item.get(_DIRECTIVE) != "delete"]
    return [*merged, *added]
