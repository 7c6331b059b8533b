"""The report for a terminal: areas at a glance, then everything that is not green, and how to see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from sandkit_conformance.drivers.port import RAW_HTTP
from sandkit_conformance.reports.text import printable

_STYLES: Final[Mapping[str, str]] = {
    "pass": "green",
    "fail": "bold red",
    "blocked": "red",
    "inconclusive": "yellow",
    "unobservable": "yellow",
    "not-applicable": "dim",
    "excused": "cyan",
    "harness-error": "bold magenta",
}
_SIGNS: Final[Mapping[str, str]] = {
    "pass": "✓",
    "fail": "✗",
    "blocked": "■",
    "inconclusive": "?",
    "unobservable": "◌",
    "not-applicable": "-",
    "excused": "≈",
    "harness-error": "!",
}
_ORDER: Final = tuple(_STYLES)
_REASONS: Final = 4
_CURLS: Final = 2


def print_report(document: Mapping[str, Any], console: Console) -> None:
    """Print the whole report."""
    console.print()
    console.print(_title(document))
    console.print(_area_table(document))
    for finding in _findings(document):
        console.print(finding)
    for line in _unseen(document):
        console.print(line)
    for line in _remarks(document):
        console.print(line)
    console.print(_verdict_line(document))


def mark(verdict: str) -> Text:
    """A verdict's sign in its colour."""
    return Text(_SIGNS[verdict], style=_STYLES[verdict])


def _title(document: Mapping[str, Any]) -> Text:
    run, target = document["run"], document["target"]
    selection = ", ".join(run["selection"]) or f"profile {run['profile']}"
    return Text(
        f"{target['name']} (version {target['serverVersion']}) · {selection} · seed {run['seed']}",
        style="bold",
    )


def _area_table(document: Mapping[str, Any]) -> Table:
    table = Table(header_style="bold", pad_edge=False)
    table.add_column("area", no_wrap=True)
    table.add_column("", overflow="fold")
    present = [name for name in _ORDER if document["summary"]["requirements"].get(name)]
    for name in present:
        table.add_column(name, justify="right", style=_STYLES[name], no_wrap=True)
    table.add_column("requirements", overflow="fold", ratio=1)
    for area in document["areas"]:
        counts = [str(area["verdicts"].get(name, "") or "") for name in present]
        table.add_row(area["id"], area["title"], *counts, _strip(area))
    return table


def _strip(area: Mapping[str, Any]) -> Text:
    """Every requirement of the area as one sign, so that the table shows where the gaps are."""
    line = Text()
    for requirement in area["requirements"]:
        line.append_text(mark(requirement["verdict"]))
    return line


def _not_green(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [
        requirement
        for area in document["areas"]
        for requirement in area["requirements"]
        if requirement["verdict"] not in {"pass", "not-applicable"}
    ]


def _nothing_to_see(requirement: Mapping[str, Any]) -> bool:
    return requirement["verdict"] == "unobservable" or not requirement["checks"]


def _findings(document: Mapping[str, Any]) -> list[RenderableType]:
    return [_finding(one) for one in _not_green(document) if not _nothing_to_see(one)]


def _unseen(document: Mapping[str, Any]) -> list[Text]:
    """What was not looked at, one line for each reason, since there is nothing to show."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for one in _not_green(document):
        if _nothing_to_see(one):
            reasons.setdefault((one["verdict"], one["reason"]), []).append(one["id"])
    return [
        Text(f"{verdict}, {reason}: ", style=_STYLES[verdict]).append(", ".join(ids), style="default")
        for (verdict, reason), ids in reasons.items()
    ]


def _finding(requirement: Mapping[str, Any]) -> RenderableType:
    style = _STYLES[requirement["verdict"]]
    head = (
        f"{requirement['id']} {requirement['verdict']} · {requirement['level']}, {requirement['authority']}"
    )
    if not requirement["gates"]:
        head += " · does not count for the exit code"
    lines: list[RenderableType] = [Text(printable(requirement["text"]), style="italic")]
    for check in requirement["checks"]:
        if check["verdict"] == requirement["verdict"]:
            lines += _check_lines(check, style)
    return Panel(Group(*lines), title=head, title_align="left", border_style=style)


def _check_lines(check: Mapping[str, Any], style: str) -> list[RenderableType]:
    lines: list[RenderableType] = [
        Text(f"\n{check['title']}  ({check['scenario']}, step {check['step']})", style="bold")
    ]
    lines += [Text(printable(f"  {reason}"), style=style) for reason in check["reasons"][:_REASONS]]
    if len(check["reasons"]) > _REASONS:
        lines.append(Text(f"  … and {len(check['reasons']) - _REASONS} more", style="dim"))
    lines += [Text(printable(f"  $ {command}"), style="dim") for command in check["reproduce"][:_CURLS]]
    return lines


def _remarks(document: Mapping[str, Any]) -> list[Text]:
    leaks = document["leaks"]
    lines = []
    if leaks["leaked"]:
        lines.append(
            Text(printable(f"left behind on the server: {', '.join(leaks['leaked'])}"), style="bold red")
        )
    elif leaks["verdict"] == "pass":
        lines.append(Text("nothing was left behind on the server", style="green"))
    else:
        lines.append(Text(f"leaks: {leaks['verdict']}; {leaks['note']}", style="yellow"))
    lines += [Text(line, style="cyan") for line in document["staleBaseline"]]
    if document["target"]["driver"] != RAW_HTTP:
        ways = ", ".join(f"{count} by {way}" for way, count in sorted(document["summary"]["ways"].items()))
        lines.append(Text(printable(f"checks through the driver and beside it: {ways}"), style="dim"))
    if document["elsewhere"]:
        names = ", ".join(f"{one['id']} ({one['where']})" for one in document["elsewhere"])
        lines.append(Text(f"needs another runtime, not counted here: {names}", style="dim"))
    lines += [
        Text(printable(f"{scenario['name']}: {note}"), style="yellow")
        for scenario in document["scenarios"]
        for note in scenario["notes"]
    ]
    return lines


def _verdict_line(document: Mapping[str, Any]) -> Text:
    outcome, summary, run = document["outcome"], document["summary"], document["run"]
    counts = ", ".join(f"{count} {name}" for name, count in summary["requirements"].items())
    checks = sum(summary["checks"].values())
    beside = summary["requirements"].get("fail", 0) - summary["gating"].get("fail", 0)
    note = f" · {beside} failed that do not count (--gate {run['gate']})" if beside else ""
    style = "bold green" if outcome["exitCode"] == 0 else "bold red"
    line = Text(f"{outcome['text'].upper()} ", style=style)
    took = f"{checks} checks in {run['seconds']:.1f} s"
    return line.append(f"requirements: {counts} · {took}{note} · exit {outcome['exitCode']}", style="default")
