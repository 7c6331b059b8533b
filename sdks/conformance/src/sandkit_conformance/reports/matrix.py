"""Servers side by side: one row per requirement, one column per report."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from attrs import frozen
from jinja2 import Environment, PackageLoader, StrictUndefined
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sandkit_conformance.failures import SuiteError
from sandkit_conformance.reports.console import mark
from sandkit_conformance.reports.text import printable
from sandkit_conformance.verdict import Verdict

FORMAT: Final = "sandkit-conformance-matrix/1"
Formats = Mapping[str, Callable[["Matrix"], str]]
_MARKS: Final[Mapping[str, str]] = {
    "pass": "✓",
    "fail": "✗ fail",
    "blocked": "■ blocked",
    "inconclusive": "? inconclusive",
    "unobservable": "◌ unobservable",
    "not-applicable": "-",
    "excused": "≈ excused",
    "harness-error": "! harness error",
}


@frozen
class Server:
    """One column: a report, in short."""

    label: str
    version: str
    outcome: str
    exit_code: int
    gate: str
    suite: str
    spec: str
    run: str
    counts: Mapping[str, int]


@frozen
class Row:
    """One requirement: its verdict on every server (None where the report does not have it).

    `texts` counts how many different wordings of the promise the reports were about.
    """

    id: str
    level: str
    authority: str
    text: str
    verdicts: tuple[str | None, ...]
    texts: int = 1

    @property
    def area(self) -> str:
        """The part of the id before the number."""
        return self.id.partition("-")[0]


@frozen
class Matrix:
    """Everything side by side. `warnings` says why columns may not be comparable."""

    servers: tuple[Server, ...]
    rows: tuple[Row, ...]
    warnings: tuple[str, ...]


def matrix_of(reports: Iterable[Mapping[str, Any]]) -> Matrix:
    """Lay reports side by side: servers in the given order, requirements in the order of their numbers.

    Raises:
        SuiteError: there is no report.
    """
    documents = list(reports)
    if not documents:
        raise SuiteError("a matrix needs at least one report")
    found = [_requirements(one) for one in documents]
    servers = tuple(_servers(documents))
    names = sorted({name for one in found for name in one}, key=_number)
    rows = tuple(_row(name, found) for name in names)
    return Matrix(servers, rows, tuple(_warnings(servers, rows)))


def _requirements(document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {one["id"]: one for area in document["areas"] for one in area["requirements"]}


def _number(name: str) -> tuple[str, int]:
    area, _, number = name.partition("-")
    return area, int(number)


def _servers(documents: list[Mapping[str, Any]]) -> Iterable[Server]:
    names = [document["target"]["name"] for document in documents]
    for document, name in zip(documents, names, strict=True):
        run, suite = document["run"], document["suite"]
        yield Server(
            # Two runs of one server are told apart by their runs.
            label=name if names.count(name) == 1 else f"{name} ({run['id']})",
            version=document["target"]["serverVersion"],
            outcome=document["outcome"]["text"],
            exit_code=document["outcome"]["exitCode"],
            gate=run["gate"],
            suite=suite["digest"],
            spec=suite["specDigest"],
            run=run["id"],
            counts=document["summary"]["requirements"],
        )


def _row(name: str, found: list[dict[str, Mapping[str, Any]]]) -> Row:
    entries = [one[name] for one in found if name in one]
    return Row(
        id=name,
        level=entries[0]["level"],
        authority=entries[0]["authority"],
        text=entries[0]["text"],
        verdicts=tuple(one[name]["verdict"] if name in one else None for one in found),
        texts=len({entry["digest"] for entry in entries}),
    )


def _warnings(servers: tuple[Server, ...], rows: tuple[Row, ...]) -> Iterable[str]:
    for what, digests in (
        ("suites", {one.label: one.suite for one in servers}),
        ("contracts", {one.label: one.spec for one in servers}),
    ):
        if len(set(digests.values())) > 1:
            told = ", ".join(f"{label} {digest[:12]}" for label, digest in digests.items())
            yield f"not the same {what}: {told}"
    if len({one.gate for one in servers}) > 1:
        told = ", ".join(f"{one.label} {one.gate}" for one in servers)
        yield f"outcomes do not count the same requirements (--gate): {told}"
    reworded = [row.id for row in rows if row.texts > 1]
    if reworded:
        yield f"the promise is worded differently in the reports: {', '.join(reworded)}"


def print_matrix(matrix: Matrix, console: Console) -> None:
    """For a terminal."""
    for line in matrix.warnings:
        console.print(Text(printable(f"warning: {line}"), style="bold yellow"))
    table = Table(header_style="bold", pad_edge=False)
    table.add_column("requirement", no_wrap=True)
    table.add_column("level, authority", no_wrap=True)
    for server in matrix.servers:
        table.add_column(Text(printable(server.label)), justify="center", overflow="fold")
    table.add_column("promise", no_wrap=True, overflow="ellipsis", ratio=1)
    for row in matrix.rows:
        marks = [mark(verdict) if verdict else Text("") for verdict in row.verdicts]
        table.add_row(row.id, f"{row.level}, {row.authority}", *marks, Text(printable(row.text)))
    console.print(table)
    for server in matrix.servers:
        counts = ", ".join(f"{count} {name}" for name, count in server.counts.items())
        line = f"{server.label} (version {server.version}): {server.outcome} · {counts}"
        console.print(Text(printable(line), style="green" if server.exit_code == 0 else "red"))
    console.print(Text(_legend(), style="dim"))


def _legend() -> str:
    return " · ".join(_MARKS[name] if " " in _MARKS[name] else f"{_MARKS[name]} {name}" for name in _MARKS)


def matrix_json(matrix: Matrix) -> str:
    """For programs."""
    document = {
        "format": FORMAT,
        "warnings": list(matrix.warnings),
        "servers": [
            {
                "name": one.label,
                "version": one.version,
                "outcome": {"text": one.outcome, "exitCode": one.exit_code},
                "gate": one.gate,
                "suiteDigest": one.suite,
                "specDigest": one.spec,
                "run": one.run,
                "requirements": dict(one.counts),
            }
            for one in matrix.servers
        ],
        "requirements": [
            {
                "id": row.id,
                "level": row.level,
                "authority": row.authority,
                "text": row.text,
                "verdicts": list(row.verdicts),
            }
            for row in matrix.rows
        ],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def matrix_markdown(matrix: Matrix) -> str:
    """For a repository's pages."""
    labels = [_cell(one.label) for one in matrix.servers]
    lines = [f"> **Warning:** {_cell(line)}\n" for line in matrix.warnings]
    lines.append(f"| requirement | level | authority | {' | '.join(labels)} | promise |")
    lines.append(f"|---|---|---|{':-:|' * len(labels)}---|")
    for row in matrix.rows:
        marks = [_MARKS[verdict] if verdict else "" for verdict in row.verdicts]
        lines.append(
            f"| {row.id} | {row.level} | {row.authority} | {' | '.join(marks)} | {_cell(row.text)} |"
        )
    lines.append("")
    lines += [
        f"- **{_cell(one.label)}** (version {_cell(one.version)}): {one.outcome}, --gate {one.gate}"
        for one in matrix.servers
    ]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """Text that a server or its owner wrote, as one cell that cannot become markup."""
    flat = " ".join(printable(text).split())
    for sign, safe in (("\\", "\\\\"), ("|", "\\|"), ("<", "&lt;"), ("`", "\\`"), ("[", "\\["), ("*", "\\*")):
        flat = flat.replace(sign, safe)
    return flat


def matrix_html(matrix: Matrix) -> str:
    """For people: one file without anything outside it."""
    environment = Environment(
        loader=PackageLoader("sandkit_conformance.reports"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters["printable"] = printable
    template = environment.get_template("matrix.html.j2")
    return template.render(
        matrix=matrix, marks=_MARKS, meanings={str(verdict): verdict.meaning for verdict in Verdict}
    )


RENDERERS: Final[Formats] = {".json": matrix_json, ".md": matrix_markdown, ".html": matrix_html}
