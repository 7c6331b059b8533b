"""Reports of a made-up run, compared with what was looked at and found good.

After a wanted change run this file with SANDKIT_UPDATE_GOLDEN=1 in the environment, and look at what differs.
"""

from __future__ import annotations

import io
import os
from html.parser import HTMLParser
from pathlib import Path

import pytest
from attrs import evolve
from jsonschema import Draft202012Validator
from rich.console import Console

from sandkit_conformance.catalogue import Requirement
from sandkit_conformance.engine.result import (
    Environment,
    LeakResult,
    RunResult,
    ScenarioResult,
    StepResult,
)
from sandkit_conformance.failures import Position
from sandkit_conformance.reports.badge import badge_svg
from sandkit_conformance.reports.console import print_report
from sandkit_conformance.reports.curl import curl_command
from sandkit_conformance.reports.document import report_document
from sandkit_conformance.reports.html import html_report
from sandkit_conformance.reports.junit import junit_xml
from sandkit_conformance.scenario.model import Scenario
from sandkit_conformance.scenario.schema import load_schema
from sandkit_conformance.trace import TraceEvent
from sandkit_conformance.verdict import CheckResult, ExitCode, Verdict, aggregate

GOLDEN = Path(__file__).parent / "golden"
NASTY = "</script><script>alert('x')</script>\x00\x1b[31m & <b>"


def exchange(seq: int, step: str, **changes: object) -> TraceEvent:
    data = {
        "purpose": "call",
        "operation": "pauseSandbox",
        "method": "POST",
        "url": "http://127.0.0.1:8080/v1/sandboxes/sbx-1/pause?a=b'c",
        "at": "2026-01-01T00:00:00.000Z",
        "began": 0.1,
        "took": 0.012,
        "requestHeaders": [["OPEN-SANDBOX-API-KEY", "[redacted]"], ["X-Empty", ""]],
        "requestBody": None,
        "status": 202,
        "headers": [["x-request-id", "r-1"]],
        "body": "",
        "failure": None,
    }
    return TraceEvent(seq, seq / 10, "second-pause", step, "exchange", {**data, **changes})


EVENTS = (
    exchange(
        1, "1", operation="createSandbox", body='{"id": "sbx-1"}', requestBody='{"env": {"Q": "it\'s"}}'
    ),
    TraceEvent(
        2,
        0.2,
        "second-pause",
        "2",
        "state",
        {"resource": "sandbox", "id": "sbx-1", "state": "Running", "before": None, "legal": True},
    ),
    exchange(3, "2", purpose="poll", method="GET", body='{"status": {"state": "Pausing"}}', status=200),
    exchange(4, "2", purpose="poll", method="GET", body='{"status": {"state": "Paused"}}', status=200),
    TraceEvent(
        5,
        0.5,
        "second-pause",
        "2",
        "state",
        {"resource": "sandbox", "id": "sbx-1", "state": "Paused", "before": "Running", "legal": False},
    ),
    exchange(6, "3", body=NASTY, status=202),
    TraceEvent(
        7,
        0.7,
        "second-pause",
        "4",
        "probe",
        {"query": {"probe": "volumes"}, "found": {"rows": [1], "count": 1}},
    ),
    TraceEvent(
        8,
        0.8,
        "second-pause",
        "4",
        "probe",
        {"query": {"probe": "volumes"}, "found": {"rows": [1, 2], "count": 2}},
    ),
    exchange(9, "evidence", purpose="evidence", method="GET", status=None, failure="no answer within 1 s"),
)


def made_up() -> RunResult:
    position = Position("scenarios/pause/refusals.yaml", 7)
    scenario = Scenario(
        "second-pause", "A second pause is refused", "PAU", position, (), about="Why it is so."
    )
    promise = Requirement("PAU-07", "MUST", "spec", f"It MUST be so. {NASTY}", "PAU", source="a source")
    other = Requirement(
        "PAU-15", "MUST", "proposed", "Races MUST have one winner.", "PAU", rationale="Because."
    )
    unseen = Requirement("VOL-01", "MUST", "spec", "A claim MUST stay.", "VOL")
    checks = [
        CheckResult("PAU-07", "second-pause", "2", "It pauses", Verdict.PASS, (), 0.25),
        CheckResult(
            "PAU-07",
            "second-pause",
            "3",
            "A second is refused",
            Verdict.FAIL,
            (f"status {NASTY}", "more"),
            0.1,
        ),
        CheckResult("PAU-15", "second-pause", "4", "One snapshot", Verdict.BLOCKED, ("step 3 went wrong",)),
        CheckResult("VOL-01", "second-pause", "5", "It stays", Verdict.UNOBSERVABLE, ("needs a probe",)),
    ]
    steps = (
        StepResult("1", "call", "call createSandbox", None, Verdict.PASS, (), 0.05, 0.05),
        StepResult("2", "await", "It pauses", "PAU-07", Verdict.PASS, (), 0.1, 0.4),
        StepResult(
            "3", "call", "A second is refused", "PAU-07", Verdict.FAIL, (f"status {NASTY}", "more"), 0.6, 0.1
        ),
        StepResult("4", "probe", "One snapshot", "PAU-15", Verdict.BLOCKED, ("step 3 went wrong",), 0.7, 0.1),
        StepResult("5", "verify", "It stays", "VOL-01", None, ("needs a probe",)),
    )
    environment = Environment(
        target="a target",
        server_version="1.2.3",
        driver="http",
        suite_version="0.1.0",
        suite_digest="a" * 64,
        spec_digest="b" * 64,
        run_id="abc123",
        seed=7,
        profile="pause",
        selection=(),
        gate="spec",
        started_at="2026-01-01T00:00:00Z",
        command="sandkit-conformance run --base-url http://127.0.0.1:8080",
        probe=("view",),
    )
    return RunResult(
        environment=environment,
        requirements=tuple(aggregate(one, checks) for one in (promise, other, unseen)),
        scenarios=(
            ScenarioResult(scenario, tuple(checks), steps, 0.0, 0.9, ("sandbox sbx-1 is left: 403",)),
            ScenarioResult(
                evolve(scenario, id="other-way"), (), left_out="second-pause can be played itself"
            ),
        ),
        leaks=LeakResult(Verdict.FAIL, ("sandboxes/sbx-1", f"volumes/{NASTY}")),
        exit_code=ExitCode.FAILURES,
        seconds=1.5,
        events=EVENTS,
        uncovered=(
            Requirement("PAU-17", "MUST", "proposed", "Elsewhere.", "PAU", checked_elsewhere="docker"),
        ),
        baseline_problems=("PAU-01 is excused (x) and did not fail; take it out of the baseline",),
        area_titles={"PAU": "Pause", "VOL": "Volumes"},
    )


def same_as_golden(name: str, text: str) -> None:
    path = GOLDEN / name
    if os.environ.get("SANDKIT_UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8")


def test_the_document_matches_the_published_schema() -> None:
    Draft202012Validator(load_schema("report")).validate(report_document(made_up()))


def test_the_console_report() -> None:
    out = io.StringIO()
    print_report(report_document(made_up()), Console(file=out, width=120, color_system=None))
    assert "\x1b" not in out.getvalue(), "a server must not write to the terminal"
    same_as_golden("console.txt", "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n")


def test_the_junit_report() -> None:
    same_as_golden("report.xml", junit_xml(report_document(made_up())))


def test_the_html_report() -> None:
    same_as_golden("report.html", html_report(report_document(made_up()), EVENTS))


def test_the_badge() -> None:
    same_as_golden("badge.svg", badge_svg(report_document(made_up())))


class Page(HTMLParser):
    """Collects what matters about a page."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.scripts = 0
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids += [found["id"] or ""] if "id" in found else []
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]
        self.scripts += tag == "script"
        if tag not in {"meta", "input", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Closed where it stands, as in an SVG."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def page() -> Page:
    parsed = Page()
    parsed.feed(html_report(report_document(made_up()), EVENTS))
    return parsed


def test_the_page_is_well_formed_and_stands_alone(page: Page) -> None:
    assert page.open == []
    assert page.scripts == 1, "what a server sent must not become a script"
    assert all(link.startswith("#") for link in page.links)
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))


def test_the_page_shows_changes_seen_by_the_probe_and_evidence() -> None:
    text = html_report(report_document(made_up()), EVENTS)
    assert "changed since the last look" in text
    assert "2 readings: Pausing → Paused" in text
    assert "no answer within 1 s" in text
    assert "s-Paused illegal" in text


def test_the_page_says_where_a_mark_stands() -> None:
    found = {"rows": [], "count": 0, "seq": 384}
    mark = TraceEvent(9, 0.9, "second-pause", "2", "probe", {"query": {"probe": "events"}, "found": found})
    text = html_report(report_document(made_up()), (*EVENTS, mark))
    assert "events → nothing, up to event 384" in text


def test_a_curl_command_survives_the_shell() -> None:
    command = curl_command(exchange(1, "1", requestBody='{"a": "it\'s"}').data)
    assert command == (
        "curl -sS -i -X POST -H \"OPEN-SANDBOX-API-KEY: $SANDKIT_API_KEY\" -H 'X-Empty;' "
        """--data-raw '{"a": "it'"'"'s"}' 'http://127.0.0.1:8080/v1/sandboxes/sbx-1/pause?a=b'"'"'c'"""
    )
