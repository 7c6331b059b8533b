"""The normalised view: what a target's engine holds, in the same terms for every runtime."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Final

from attrs import field, frozen

Row = Mapping[str, Any]

# Every field of every row, with what it is when a probe leaves it out, so that scenarios may rely on each.
_FIELDS: Final[Mapping[str, Mapping[str, Any]]] = {
    "workloads": {
        "name": None,
        "sandboxId": None,
        "uid": None,
        "apiVersion": None,
        "kind": None,
        "phase": None,
        "replicas": None,
        "poolRef": None,
        "podRunning": None,
        "podUid": None,
        "imageRef": None,
        "labels": {},
    },
    "volumes": {
        "name": None,
        "uid": None,
        "labels": {},
        "owners": [],
        "phase": None,
        "mountedBy": [],
        "digest": None,
    },
    "snapshots": {
        "id": None,
        "uid": None,
        "sandboxId": None,
        "purpose": None,
        "phase": None,
        "imageRef": None,
    },
    "images": {"ref": None, "digest": None},
    "jobs": {"name": None, "sandboxId": None, "phase": None},
    "processes": {"sandboxId": None, "pid": None, "command": None, "state": None, "startedAt": None},
    "pools": {"name": None, "available": None, "allocated": None, "total": None},
    "secrets": {"name": None, "referencedBy": []},
}
KINDS: Final = tuple(_FIELDS)
# What a sandbox leaves behind when clean-up goes wrong; images are kept by retention rules of their own.
_CENSUS: Final = {
    "workloads": "name",
    "volumes": "name",
    "snapshots": "id",
    "jobs": "name",
    "secrets": "name",
}
CENSUS_KINDS: Final = tuple(_CENSUS)


@frozen
class View:
    """One look at everything. Fields unknown to this suite are kept."""

    rows: Mapping[str, tuple[Row, ...]] = field(factory=dict)
    time: str | None = None

    @classmethod
    def parse(cls, data: Any) -> View:
        """Read a probe's answer; lists that are missing are empty."""
        data = data if isinstance(data, dict) else {}
        return cls(
            rows={
                kind: tuple(_filled(row, defaults) for row in data.get(kind) or [] if isinstance(row, dict))
                for kind, defaults in _FIELDS.items()
            },
            time=data.get("time"),
        )

    def kind(self, name: str) -> tuple[Row, ...]:
        """The rows of one kind."""
        return self.rows.get(name, ())

    def census(self) -> tuple[str, ...]:
        """Every object that takes room, as `kind/name`, sorted."""
        return tuple(sorted(f"{kind}/{row[key]}" for kind, key in _CENSUS.items() for row in self.kind(kind)))

    def belonging_to(self, names: frozenset[str]) -> tuple[str, ...]:
        """Objects of the census that carry one of the names: as name, as sandbox, or as a label's value."""
        return tuple(
            sorted(
                f"{kind}/{row[key]}"
                for kind, key in _CENSUS.items()
                for row in self.kind(kind)
                if _mentions(row, key, names)
            )
        )

    def rows_of(self, names: frozenset[str]) -> dict[str, list[dict[str, Any]]]:
        """The rows that carry one of the names, for evidence."""
        found = {
            kind: [dict(row) for row in self.kind(kind) if _mentions(row, key, names)]
            for kind, key in _CENSUS.items()
        }
        return {kind: rows for kind, rows in found.items() if rows}


def _filled(row: dict[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The row with what its probe has left out."""
    for name in defaults.keys() - row.keys():
        row[name] = copy.copy(defaults[name])
    return row


def _mentions(row: Row, key: str, names: frozenset[str]) -> bool:
    labels = row.get("labels") or {}
    mentioned = {row[key], row.get("sandboxId"), *labels.values(), *(row.get("referencedBy") or [])}
    return not names.isdisjoint(value for value in mentioned if isinstance(value, str))
