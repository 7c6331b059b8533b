"""The ledger: what the suite is about to make and has made, on disk before it happens.

Only what stands here is ever deleted, so the suite cannot take away what it did not make. Because the line is
written first, a run that is killed at any moment can be swept up afterwards.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, TextIO

from attrs import define, field, frozen

from sandkit_conformance.failures import SuiteError

# What "snapshots-of" names is a sandbox: the server gives snapshots their ids, so before the answer it is
# only known of which sandbox one may be there.
Kind = Literal["sandbox", "snapshot", "snapshots-of", "pool", "claim", "workload", "fault", "gate"]


@frozen
class Entry:
    """One thing the suite made, or was about to make: `name` is the id of what has one."""

    kind: Kind
    name: str
    scenario: str


@define
class Ledger:
    """Write-ahead list of what a run makes."""

    run_id: str
    sink: TextIO | None = None
    entries: dict[Entry, str] = field(factory=dict)
    _open: Counter[Entry] = field(init=False, factory=Counter)

    def __attrs_post_init__(self) -> None:
        self._write({"run": self.run_id})

    def intend(self, kind: Kind, name: str, scenario: str) -> Entry:
        """Say that something is about to be made."""
        entry = Entry(kind, name, scenario)
        self._open[entry] += 1
        self._set(entry, "intended")
        return entry

    def settle(self, entry: Entry) -> None:
        """Say that one intention came to nothing that this entry has to stand for; it goes with the last."""
        self._open[entry] -= 1
        if self._open[entry] == 0:
            self.gone(entry)

    def made(self, kind: Kind, name: str, scenario: str) -> None:
        """Say that something was made."""
        self._set(Entry(kind, name, scenario), "made")

    def gone(self, entry: Entry) -> None:
        """Say that something is there no more."""
        self._set(entry, "gone")

    def standing(self, scenario: str | None = None) -> list[Entry]:
        """What may still be there, in the order it was made; of one scenario, or of all."""
        return [
            entry
            for entry, state in self.entries.items()
            if state != "gone" and (scenario is None or entry.scenario == scenario)
        ]

    def names(self) -> frozenset[str]:
        """Every name and id the run has used, the gone ones too."""
        return frozenset(entry.name for entry in self.entries)

    def _set(self, entry: Entry, state: str) -> None:
        if self.entries.get(entry) != state:
            self.entries[entry] = state
            fields = {"kind": entry.kind, "name": entry.name, "scenario": entry.scenario}
            self._write({"state": state, **fields})

    def _write(self, line: dict[str, str]) -> None:
        if self.sink:
            self.sink.write(json.dumps(line) + "\n")
            self.sink.flush()


def read_ledger(path: Path) -> Ledger:
    """The ledger of an earlier run, as far as it was written.

    Raises:
        SuiteError: the file cannot be read, or is no ledger.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
        ledger = Ledger(json.loads(lines[0])["run"])
        replay(ledger, lines[1:])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise SuiteError(f"{path} is not a ledger of this suite: {error}") from error
    return ledger


def replay(ledger: Ledger, lines: Iterable[str]) -> None:
    """Apply written lines; a last line cut off in the middle is what a kill leaves, and is passed over."""
    for line in lines:
        if not line.endswith("}"):
            continue
        fields = json.loads(line)
        ledger.entries[Entry(fields["kind"], fields["name"], fields["scenario"])] = fields["state"]
