"""Looks through the probe, and holds what is there against what a scenario expects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from sandkit_conformance.engine.context import StepContext
from sandkit_conformance.probes.view import CENSUS_KINDS, KINDS
from sandkit_conformance.scenario.matchers import Mismatch, match, match_fields, show
from sandkit_conformance.scenario.paths import NOTHING


@frozen
class Observed:
    """What a probe showed. `rows` are those left after `where`."""

    rows: tuple[Any, ...] = ()
    seq: int | None = None
    text: str | None = None
    env: Mapping[str, str] | None = None

    def value(self) -> dict[str, Any]:
        """The value a scenario's variable gets."""
        return {
            "rows": [dict(row) if isinstance(row, Mapping) else row for row in self.rows],
            "count": len(self.rows),
            "first": self.rows[0] if self.rows else None,
            "seq": self.seq,
            "text": self.text,
            "env": dict(self.env) if self.env is not None else None,
        }

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Observed:
        """What was observed, out of its value."""
        return cls(tuple(value["rows"]), value["seq"], value["text"], value["env"])


async def look(fields: Mapping[str, Any], context: StepContext) -> tuple[Observed, float]:
    """Ask the probe once; `fields` are the step's, resolved. What it shows, and when it was asked.

    Raises:
        SidePortError: the probe does not work.
    """

    async def ask() -> dict[str, Any]:
        return (await _ask(fields, context)).value()

    query = {key: value for key, value in fields.items() if key not in {"expect", "within", "as"}}
    seen = await context.look("probe", query, ask)
    return Observed.of(seen.value), seen.began


async def _ask(fields: Mapping[str, Any], context: StepContext) -> Observed:
    what = fields["probe"]
    probe = context.probe
    if what == "file":
        text = await probe.read_file(fields["file"], sandbox=fields.get("for"), volume=fields.get("volume"))
        return Observed(text=text)
    if what == "environment":
        return Observed(env=await probe.environment(fields["for"]))
    if what == "events":
        after = fields.get("after")
        rows, last = await probe.events(int(after) if after is not None else None)
        # Nothing is asked of a mark but where the journal ends, and what is in it is long.
        is_mark = not fields.keys() & {"after", "where", "expect"}
        return Observed(rows=() if is_mark else _where(rows, fields), seq=last)
    view = await probe.view(CENSUS_KINDS if what == "census" else (what,))
    context.run.clock.set(view.time)
    if what == "census":
        named = [entry for entry in view.census() if not _mismatched({"name": entry}, fields)]
        return Observed(rows=tuple(named))
    assert what in KINDS
    return Observed(rows=_where(view.kind(what), fields))


def _where(rows: Sequence[Mapping[str, Any]], fields: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    return tuple(row for row in rows if not _mismatched(row, fields))


def _mismatched(row: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
    return bool(match_fields(fields.get("where", {}), dict(row)))


def judge_rows(expect: Mapping[str, Any], observed: Observed) -> list[str]:
    """Every way in which what was observed differs from `expect`."""
    rows = list(observed.rows)
    reasons: list[str] = []
    if "count" in expect:
        reasons += _with_rows(match(expect["count"], len(rows), "count"), rows)
    if "rows" in expect:
        reasons += _rows_reasons(expect["rows"], rows)
    for name in ("first", "each", "any"):
        if name in expect:
            reasons += _row_reasons(name, expect[name], rows)
    if "sequence" in expect:
        reasons += _sequence(expect["sequence"], rows)
    if "exists" in expect:
        there = observed.text is not None
        reasons += (
            []
            if there is expect["exists"]
            else [f"file: expected exists: {expect['exists']}, observed {there}"]
        )
    if "text" in expect:
        text = NOTHING if observed.text is None else observed.text
        reasons += [str(one) for one in match(expect["text"], text, "text")]
    if "env" in expect:
        reasons += [str(one) for one in match_fields(expect["env"], dict(observed.env or {}), "env")]
    return reasons


def _with_rows(mismatches: list[Mismatch], rows: list[Any]) -> list[str]:
    return [f"{one}: {show(rows)}" if rows else str(one) for one in mismatches]


def _rows_reasons(expected: Any, rows: list[Any]) -> list[str]:
    wanted = expected.get("equals") if isinstance(expected, Mapping) else expected
    if not isinstance(wanted, list):
        return [str(one) for one in match(expected, rows, "rows")]
    if not match(wanted, rows):
        return []
    # Two long lists side by side tell a reader nothing; what came and what went does.
    new = [row for row in rows if row not in wanted]
    lost = [row for row in wanted if row not in rows]
    return [f"rows: expected the same as before, observed new {show(new)}, missing {show(lost)}"]


def _row_reasons(name: str, fields: Mapping[str, Any], rows: list[Any]) -> list[str]:
    if not rows:
        return [f"{name}: expected a row, observed none"]
    if name == "first":
        return [str(one) for one in match_fields(fields, rows[0], "first")]
    if name == "each":
        return [
            str(one) for index, row in enumerate(rows) for one in match_fields(fields, row, f"rows[{index}]")
        ]
    if any(not match_fields(fields, row) for row in rows):
        return []
    return [f"any: expected a row with {show(fields)}, observed {show(rows)}"]


def _sequence(patterns: list[Mapping[str, Any]], rows: list[Any]) -> list[str]:
    first = [
        next((at for at, row in enumerate(rows) if not match_fields(fields, row)), None)
        for fields in patterns
    ]
    for pattern, at in zip(patterns, first, strict=True):
        if at is None:
            return [f"sequence: no event with {show(pattern)} among {show(rows)}"]
    for index in range(1, len(patterns)):
        before, after = first[index - 1], first[index]
        if before is not None and after is not None and after <= before:
            return [
                f"sequence: {show(patterns[index])} came before {show(patterns[index - 1])}: {show(rows)}"
            ]
    return []
