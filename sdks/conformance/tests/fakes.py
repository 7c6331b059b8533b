"""A probe and a control port that live in this process, for tests of the verbs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from attrs import define, field

from sandkit_conformance.drivers.side_port import SidePortError
from sandkit_conformance.probes.view import KINDS, View

ALL_PROBES = frozenset({"view", "files", "events", "seed", "environment"})
ALL_CONTROLS = frozenset({"clock", "faults", "gates", "restart"})


@define
class FakeProbe:
    """Shows what it is given."""

    data: dict[str, Any] = field(factory=dict)
    journal: list[dict[str, Any]] = field(factory=list)
    files: dict[tuple[str, str], str] = field(factory=dict)
    features: frozenset[str] = ALL_PROBES
    broken: bool = False

    async def view(self, kinds: Collection[str] = KINDS) -> View:
        if self.broken:
            raise SidePortError("the probe port: GET /v1/view: 500")
        return View.parse(self.data)

    async def events(self, after: int | None) -> tuple[list[dict[str, Any]], int]:
        return [event for event in self.journal if event["seq"] > (after or 0)], len(self.journal)

    async def read_file(
        self, path: str, *, sandbox: str | None = None, volume: str | None = None
    ) -> str | None:
        return self.files.get((sandbox or volume or "", path))

    async def write_file(self, sandbox: str, path: str, text: str) -> None:
        self.files[sandbox, path] = text

    async def environment(self, sandbox: str) -> Mapping[str, str]:
        return {"SANDBOX": sandbox}

    async def create_volume(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        self.data.setdefault("volumes", []).append(dict(fields))
        return fields

    async def create_workload(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        row = {"name": f"w-{fields['sandboxId']}", **fields}
        self.data.setdefault("workloads", []).append(row)
        return row

    async def remove(self, kind: str, name: str) -> bool:
        key = "id" if kind == "snapshot" else "name"
        rows = self.data.get(f"{kind}s", [])
        kept = [row for row in rows if row[key] != name]
        self.data[f"{kind}s"] = kept
        return len(kept) < len(rows)

    async def edit_volume(self, name: str, fields: Mapping[str, Any]) -> Mapping[str, Any] | None:
        for row in self.data.get("volumes", []):
            if row["name"] == name:
                row.setdefault("labels", {}).update(fields.get("labels", {}))
                return dict(row)
        return None


@define
class FakeControl:
    """Remembers what it was asked for."""

    features: frozenset[str] = ALL_CONTROLS
    log: list[str] = field(factory=list)
    hits: int = 1
    waiting: int = 1

    async def advance(self, seconds: float) -> str:
        self.log.append(f"advance {seconds:g}")
        return "2040-01-01T00:00:00Z"

    async def inject(self, fields: Mapping[str, Any]) -> None:
        self.log.append(f"fault {fields['id']} {fields['point']} {fields['action']}")

    async def clear_fault(self, fault: str) -> None:
        self.log.append(f"clear {fault}")

    async def fault_hits(self, fault: str) -> int | None:
        return self.hits

    async def hold(self, fields: Mapping[str, Any]) -> None:
        self.log.append(f"hold {fields['id']} {fields['point']} {fields['when']}")

    async def held(self, gate: str, wait: float) -> int:
        return self.waiting

    async def release(self, gate: str) -> None:
        self.log.append(f"release {gate}")

    async def drop_gate(self, gate: str) -> None:
        self.log.append(f"drop {gate}")

    async def restart(self, *, graceful: bool, part: str = "all") -> None:
        how = "restart graceful" if graceful else "restart abrupt"
        self.log.append(how if part == "all" else f"{how} {part}")
