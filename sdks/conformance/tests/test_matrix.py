"""`matrix`: servers side by side, and what keeps them from being comparable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sandkit_conformance.cli import run_command_line
from sandkit_conformance.reports.document import report_document

from .test_reports import NASTY, made_up

Capture = pytest.CaptureFixture[str]


def write(path: Path, **changes: Any) -> str:
    document = json.loads(json.dumps(report_document(made_up())))
    document["target"]["name"] = changes.get("name", "one")
    document["run"]["id"] = changes.get("run", "abc123")
    document["suite"]["digest"] = changes.get("suite", "a" * 64)
    for area in document["areas"]:
        for one in area["requirements"]:
            one["verdict"] = changes.get(one["id"].replace("-", "_"), one["verdict"])
            one["digest"] = changes.get("digest", "0" * 16)
        if changes.get("without") == area["id"]:
            area["requirements"] = []
    path.write_text(json.dumps(document))
    return str(path)


def test_servers_stand_side_by_side_in_the_order_given(tmp_path: Path, capsys: Capture) -> None:
    first = write(tmp_path / "1.json", name="zeta")
    second = write(tmp_path / "2.json", name="alpha", PAU_07="pass", without="VOL")
    assert run_command_line(["matrix", first, second, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in found["servers"]] == ["zeta", "alpha"]
    assert {one["id"]: one["verdicts"] for one in found["requirements"]} == {
        "PAU-07": ["fail", "pass"],
        "PAU-15": ["blocked", "blocked"],
        "VOL-01": ["unobservable", None],
    }
    assert found["warnings"] == []


def test_another_suite_is_shown_and_never_hidden(tmp_path: Path, capsys: Capture) -> None:
    files = [
        write(tmp_path / "1.json"),
        write(tmp_path / "2.json", run="def456", suite="c" * 64, digest="1" * 16),
    ]
    outputs = [tmp_path / f"out/matrix{suffix}" for suffix in (".html", ".md", ".json")]
    assert run_command_line(["matrix", *files, *(f"--output={path}" for path in outputs)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    warning = "not the same suites: one (abc123) aaaaaaaaaaaa, one (def456) cccccccccccc"
    assert warning in out
    assert "worded differently in the reports: PAU-07, PAU-15, VOL-01" in out
    for path in outputs:
        assert warning in path.read_text()


def test_the_pages_hold_nothing_a_server_could_inject(tmp_path: Path) -> None:
    page, text = tmp_path / "m.html", tmp_path / "m.md"
    report = write(tmp_path / "1.json", name=f"bad | {NASTY}")
    assert run_command_line(["matrix", report, f"--output={page}", f"--output={text}"]) == 0
    assert "<script" not in page.read_text()
    assert "http" not in page.read_text()
    header, rule, *rows = text.read_text().splitlines()
    assert header.count(" | ") == 4
    assert "<script" not in text.read_text()
    assert rule == "|---|---|---|:-:|---|"
    assert [row.split(" | ")[0] for row in rows[:3]] == ["| PAU-07", "| PAU-15", "| VOL-01"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing argument"),
        (["/nowhere.json"], "cannot read the report"),
        (["1.json", "--output", "m.pdf"], "its name must end in .json, .md, .html"),
    ],
)
def test_bad_input_is_2(arguments: list[str], message: str, capsys: Capture) -> None:
    assert run_command_line(["matrix", *arguments]) == 2
    assert message in capsys.readouterr().err
