"""Writes the report files of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sandkit_conformance.engine.result import RunResult
from sandkit_conformance.failures import SuiteError
from sandkit_conformance.reports.badge import badge_svg
from sandkit_conformance.reports.html import html_report
from sandkit_conformance.reports.junit import junit_xml


def write_reports(document: Mapping[str, Any], result: RunResult, folder: Path) -> list[Path]:
    """Write report.json, report.xml, report.html and badge.svg; trace and ledger are there already."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        "report.json": json.dumps(document, ensure_ascii=False) + "\n",
        "report.xml": junit_xml(document),
        "report.html": html_report(document, result.events),
        "badge.svg": badge_svg(document),
    }
    for name, text in contents.items():
        (folder / name).write_text(text, "utf-8", errors="backslashreplace")
    return [folder / name for name in contents]


def report_folder(folder: Path | None) -> None:
    """Find out before the work, not after it, that nothing can be written there.

    Raises:
        SuiteError: the folder cannot be made, or no file in it.
    """
    try:
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "report.json").touch()
    except OSError as error:
        raise SuiteError(f"cannot write into --report-dir {folder}: {error.strerror}") from error
