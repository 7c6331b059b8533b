"""The report for people: one HTML file without anything outside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from sandkit_conformance.reports.story import stories
from sandkit_conformance.reports.text import printable
from sandkit_conformance.trace import TraceEvent
from sandkit_conformance.verdict import Verdict


def html_report(document: Mapping[str, Any], events: Iterable[TraceEvent]) -> str:
    """Render the report; everything a server has sent is escaped."""
    environment = Environment(
        loader=PackageLoader("sandkit_conformance.reports"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters["anchor"] = anchor
    environment.filters["printable"] = printable
    template = environment.get_template("report.html.j2")
    return template.render(
        report=document,
        stories=stories(document, events),
        verdicts=[verdict for verdict in Verdict if document["summary"]["requirements"].get(verdict)],
        meanings={str(verdict): verdict.meaning for verdict in Verdict},
    )


def anchor(name: str) -> str:
    """A fragment identifier out of a scenario's name."""
    return "s-" + "".join(letter if letter.isalnum() or letter == "-" else "_" for letter in name)
