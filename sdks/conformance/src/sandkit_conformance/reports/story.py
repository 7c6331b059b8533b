"""What happened in each step, put together from the trace the way a reader wants to see it."""

from __future__ import annotations

import difflib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from attrs import field, frozen
from markupsafe import Markup

from sandkit_conformance.drivers.port import RAW_HTTP
from sandkit_conformance.reports.curl import curl_command
from sandkit_conformance.reports.text import printable
from sandkit_conformance.reports.timeline import timeline
from sandkit_conformance.trace import TraceEvent

_ROUTINE: Final = frozenset({"poll", "cleanup", "guard"})
# The rest of the trace is for `recheck`; a reader has the verdicts beside the steps already.
_TOLD: Final = frozenset(
    ("exchange", "probe", "seed", "remove", "edit", "fault", "gate", "clock", "restart", "evidence", "driver")
)
_QUIET: Final = frozenset({"pass", "not-applicable", None})
_NEVER: Final = object()
_GREEN_LIMIT: Final = 800
_RED_LIMIT: Final = 12_000


@frozen
class Item:
    """One thing that happened: a headline, and what can be unfolded below it."""

    kind: str
    title: str
    tone: str = ""
    parts: tuple[tuple[str, str], ...] = ()
    curl: str | None = None


@frozen
class StepStory:
    """One step with everything that happened in it."""

    step: Mapping[str, Any]
    items: tuple[Item, ...]


@frozen
class Story:
    """One scenario, told."""

    scenario: Mapping[str, Any]
    steps: tuple[StepStory, ...]
    evidence: tuple[Item, ...]
    timeline: Markup
    tone: str
    requirements: tuple[str, ...] = field(default=())


def stories(document: Mapping[str, Any], events: Iterable[TraceEvent]) -> list[Story]:
    """Every scenario that was played, those with something wrong first."""
    grouped: dict[str, dict[str, list[TraceEvent]]] = defaultdict(lambda: defaultdict(list))
    for event in events:
        grouped[event.scenario][event.step].append(event)
    told = [_story(scenario, grouped[scenario["name"]]) for scenario in document["scenarios"]]
    return sorted(told, key=lambda story: story.tone in {"pass", "not-applicable"})


def _story(scenario: Mapping[str, Any], events: Mapping[str, list[TraceEvent]]) -> Story:
    checks = [step for step in scenario["steps"] if step["check"]]
    red = any(step["verdict"] not in _QUIET for step in scenario["steps"]) or bool(scenario["notes"])
    limit = _RED_LIMIT if red else _GREEN_LIMIT
    probes = _ProbeMemory(limit)
    return Story(
        scenario=scenario,
        steps=tuple(
            StepStory(step, tuple(_items(events.get(step["number"], []), limit, probes)))
            for step in scenario["steps"]
        ),
        evidence=tuple(_items(events.get("evidence", []), limit, probes)),
        timeline=timeline(scenario),
        tone=_tone(scenario, checks),
        requirements=tuple(dict.fromkeys(step["check"] for step in checks)),
    )


def _tone(scenario: Mapping[str, Any], checks: list[Mapping[str, Any]]) -> str:
    """The verdict a reader should see first on the scenario's line."""
    verdicts = {step["verdict"] for step in checks}
    for verdict in ("fail", "harness-error", "blocked", "inconclusive", "unobservable", "excused"):
        if verdict in verdicts:
            return verdict
    reached = "pass" in verdicts
    return "pass" if reached else "not-applicable" if scenario["leftOut"] or not verdicts - {None} else "pass"


def _items(events: list[TraceEvent], limit: int, probes: _ProbeMemory) -> Iterable[Item]:
    polls: list[TraceEvent] = []
    for event in events:
        if event.kind == "exchange" and event.data["purpose"] in _ROUTINE:
            polls.append(event)
            continue
        if event.kind not in _TOLD:
            continue
        if polls:
            yield _polls(polls, limit)
            polls = []
        if event.kind == "exchange":
            yield _exchange(event, limit)
        elif event.kind == "probe" and "found" in event.data:
            yield probes.item(event)
        else:
            yield Item(event.kind, _headline(event), parts=(("what", _compact(event.data, limit)),))
    if polls:
        yield _polls(polls, limit)


def _headline(event: TraceEvent) -> str:
    facts = {**event.data.get("query", {}), **event.data}
    words = [f"{name} {value}" for name, value in facts.items() if _is_word(name, value)]
    return printable(", ".join(words) or event.kind)


def _is_word(name: str, value: Any) -> bool:
    return name != "began" and isinstance(value, str | int | float)


def _path(url: str) -> str:
    return "/" + url.split("/", 3)[3] if url.count("/") > 2 else url


def _exchange(event: TraceEvent, limit: int) -> Item:
    data = event.data
    answer = data["failure"] or str(data["status"])
    # Where all is well, headers would only make the page heavy; the trace has them.
    shown = limit > _GREEN_LIMIT
    head = "\n".join(f"{name}: {value}" for name, value in data["headers"]) if shown else ""
    asked = "\n".join(f"{name}: {value}" for name, value in data["requestHeaders"]) if shown else ""
    parts = [("request", f"{data['method']} {_path(data['url'])}\n{asked}".rstrip())] if shown else []
    if data["requestBody"]:
        parts.append(("body sent", _cut(data["requestBody"], limit)))
    if shown:
        parts.append(("answer", f"{answer}\n{head}".rstrip()))
    if data["body"]:
        parts.append(("body received", _cut(data["body"], limit)))
    return Item(
        kind=data["method"],
        title=printable(f"{_path(data['url'])} → {answer} ({data['took'] * 1000:.0f} ms){_way(data)}"),
        tone=_status_tone(data),
        parts=tuple(parts),
        curl=printable(curl_command(data)),
    )


def _way(data: Mapping[str, Any]) -> str:
    """Which way an exchange took, where that is worth a word."""
    if data.get("rawBecause"):
        return f", raw HTTP: {data['rawBecause']}"
    via = data.get("via", RAW_HTTP)
    return "" if via == RAW_HTTP else f", through {via}"


def _status_tone(data: Mapping[str, Any]) -> str:
    if data["failure"] or data["status"] is None:
        return "none"
    return f"c{data['status'] // 100}"


def _polls(events: list[TraceEvent], limit: int) -> Item:
    """Readings that were only repeated: what they showed one after the other, and the last one in full."""
    trail: list[str] = []
    for event in events:
        shown = _state_in(event.data)
        if not trail or trail[-1] != shown:
            trail.append(shown)
    last = _exchange(events[-1], limit)
    count = f"{len(events)} readings" if len(events) > 1 else "1 reading"
    return Item("read", printable(f"{count}: {' → '.join(trail)}"), last.tone, last.parts, last.curl)


def _state_in(data: Mapping[str, Any]) -> str:
    try:
        return str(json.loads(data["body"])["status"]["state"])
    except (ValueError, TypeError, LookupError):
        return data["failure"] or str(data["status"])


class _ProbeMemory:
    """Remembers what each probe showed before, so that the next one can show what has changed."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._seen: dict[str, Any] = {}

    def item(self, event: TraceEvent) -> Item:
        query, found = event.data["query"], event.data["found"]
        key = json.dumps({name: value for name, value in query.items() if name != "after"}, sort_keys=True)
        shown = found.get("rows") or found.get("env") or found.get("text")
        parts = [("found", _compact(shown, self._limit))]
        before = self._seen.get(key, _NEVER)
        self._seen[key] = shown
        if before is not _NEVER and before != shown:
            lines = difflib.unified_diff(_lines(before), _lines(shown), lineterm="", n=2)
            parts.insert(0, ("changed since the last look", _cut("\n".join(list(lines)[2:]), self._limit)))
        where = ", ".join(f"{name} {value}" for name, value in query.get("where", {}).items())
        subject = " ".join(str(query[name]) for name in ("probe", "for", "volume", "file") if query.get(name))
        title = f"{subject} {f'where {where} ' if where else ''}→ {_amount(found)}"
        return Item("probe", printable(title), parts=tuple(parts))


def _amount(found: Mapping[str, Any]) -> str:
    if found.get("text") is not None:
        return f"{len(found['text'])} characters"
    if found.get("env") is not None:
        return f"{len(found['env'])} variables"
    count = found.get("count", 0)
    if count == 0 and found.get("seq") is not None:
        return f"nothing, up to event {found['seq']}"
    return "nothing" if count == 0 else "1 row" if count == 1 else f"{count} rows"


def _compact(value: Any, limit: int) -> str:
    """JSON in one line; the page lays it out when somebody looks."""
    return _cut(json.dumps(value, ensure_ascii=False, sort_keys=True), limit)


def _lines(value: Any) -> list[str]:
    return json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True).splitlines()


def _cut(text: str, limit: int) -> str:
    text = printable(text)
    return (
        text
        if len(text) <= limit
        else f"{text[:limit]}\n… ({len(text)} characters; all of it is in trace.ndjson)"
    )
