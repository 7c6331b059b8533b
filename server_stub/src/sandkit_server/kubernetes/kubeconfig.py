"""Reads kubeconfig files: the cluster, user and namespace of one context, as kubectl would pick them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandkit_server.kubernetes.credentials import ConfigurationError


@dataclass(frozen=True, slots=True)
class Entry:
    """One named entry of a file; ``folder`` is what its relative paths start from."""

    content: Mapping[str, Any]
    folder: Path

    def text(self, key: str) -> str | None:
        """A string of the entry; absent and empty mean the same."""
        value = self.content.get(key)
        if value is not None and not isinstance(value, str):
            raise ConfigurationError(f"kubeconfig: {key} is not a string")
        return value or None

    def pem(self, key: str) -> bytes | None:
        """A certificate or key: inline under ``<key>-data`` (which wins), or in the file ``<key>`` names."""
        inline = self.text(f"{key}-data")
        if inline is not None:
            try:
                return base64.b64decode(inline, validate=True)
            except binascii.Error as error:
                raise ConfigurationError(f"kubeconfig: {key}-data is not base64") from error
        path = self.path(key)
        if path is None:
            return None
        try:
            return path.read_bytes()
        except OSError as error:
            raise ConfigurationError(f"kubeconfig: {key} cannot be read: {error}") from error

    def path(self, key: str) -> Path | None:
        """A path of the entry, made absolute."""
        value = self.text(key)
        return self.folder / value if value else None


@dataclass(frozen=True, slots=True)
class Context:
    """What a context leads to. ``user`` is empty for a context without one."""

    name: str
    cluster: Entry
    user: Entry
    namespace: str


def read(paths: Sequence[Path], context: str | None = None) -> Context:
    """The named context, or the current one, of the files merged as kubectl does.

    The first file to name a thing wins; files that do not exist are passed over if at least one does. Raises
    ConfigurationError.
    """
    documents = [(path, _load(path)) for path in paths if path.is_file()]
    if not documents:
        raise ConfigurationError(f"there is no kubeconfig at {', '.join(map(str, paths))}")
    name = context or next((d["current-context"] for _, d in documents if d.get("current-context")), None)
    if not name:
        raise ConfigurationError("the kubeconfig has no current-context: name a context")
    chosen = _entry(documents, "context", name)
    cluster = chosen.text("cluster")
    if cluster is None:
        raise ConfigurationError(f"kubeconfig: context {name} names no cluster")
    user = chosen.text("user")
    return Context(
        name=name,
        cluster=_entry(documents, "cluster", cluster),
        user=_entry(documents, "user", user) if user else Entry({}, chosen.folder),
        namespace=chosen.text("namespace") or "default",
    )


def _load(path: Path) -> Mapping[str, Any]:
    try:
        import yaml
    except ImportError as error:
        raise ConfigurationError(
            "reading a kubeconfig needs PyYAML: pip install 'sandkit-server[kubernetes]'"
        ) from error
    try:
        document = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"the kubeconfig {path} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise ConfigurationError(f"{path} is not a kubeconfig")
    return document


def _entry(documents: Sequence[tuple[Path, Mapping[str, Any]]], kind: str, name: str) -> Entry:
    for path, document in documents:
        for item in document.get(f"{kind}s") or ():
            if isinstance(item, dict) and item.get("name") == name:
                return Entry(item.get(kind) or {}, path.resolve().parent)
    raise ConfigurationError(f"the kubeconfig has no {kind} {name}")
