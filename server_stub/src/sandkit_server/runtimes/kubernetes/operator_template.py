"""The operator's pod template: a file in YAML or JSON, checked before any sandbox is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sandkit_server.core.errors import StartError

_PARTS: Final = frozenset({"apiVersion", "kind", "metadata", "spec", "template"})
_NAMED: Final = ("containers", "initContainers", "volumes", "imagePullSecrets")


def read_pod_template(path: Path) -> Mapping[str, Any]:
    """The template in a file: a ``PodTemplate`` object, or ``metadata`` and ``spec`` alone.

    Raises StartError for what is no pod template; the rest is the API server's to judge.
    """
    import yaml

    try:
        document = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise StartError(f"--pod-template {path} cannot be read: {error}") from error
    if not isinstance(document, dict) or document.keys() - _PARTS:
        raise StartError(
            f"--pod-template {path}: give a mapping with metadata and spec, as a PodTemplate has."
        )
    template = document.get("template", document)
    parts = {name: template.get(name) or {} for name in ("metadata", "spec")}
    for name, part in parts.items():
        if not isinstance(part, dict):
            raise StartError(f"--pod-template {path}: {name} is not a mapping.")
    _check_lists(path, parts["spec"])
    metadata = {
        name: parts["metadata"][name] for name in ("labels", "annotations") if parts["metadata"].get(name)
    }
    return {"metadata": metadata, "spec": parts["spec"]} if metadata else {"spec": parts["spec"]}


def _check_lists(path: Path, spec: Mapping[str, Any]) -> None:
    for field in _NAMED:
        entries = spec.get(field, [])
        if not isinstance(entries, list) or not all(
            isinstance(entry, dict) and entry.get("name") for entry in entries
        ):
            raise StartError(f"--pod-template {path}: spec.{field} is not a list of named entries.")
