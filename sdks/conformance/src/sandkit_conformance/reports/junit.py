"""The report for pipelines: JUnit XML, one suite per area, one case per check."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from xml.etree import ElementTree as ET

from sandkit_conformance.drivers.port import RAW_HTTP
from sandkit_conformance.reports.text import printable

_FAILURES: Final = frozenset({"fail"})
_ERRORS: Final = frozenset({"blocked", "inconclusive", "unobservable", "harness-error"})
_SKIPS: Final = frozenset({"not-applicable", "excused"})


def junit_xml(document: Mapping[str, Any]) -> str:
    """The document as JUnit XML. What could not be looked at is an error, never a success."""
    driver = document["target"]["driver"]
    name = "sandkit-conformance" if driver == RAW_HTTP else f"sandkit-conformance through {driver}"
    root = ET.Element("testsuites", name=printable(name), time=str(document["run"]["seconds"]))
    for area in document["areas"]:
        cases = [
            (requirement, check) for requirement in area["requirements"] for check in requirement["checks"]
        ]
        verdicts = [check["verdict"] for _, check in cases]
        suite = ET.SubElement(
            root,
            "testsuite",
            name=f"{area['id']} {area['title']}",
            tests=str(len(cases)),
            failures=str(sum(verdict in _FAILURES for verdict in verdicts)),
            errors=str(sum(verdict in _ERRORS for verdict in verdicts)),
            skipped=str(sum(verdict in _SKIPS for verdict in verdicts)),
            timestamp=document["run"]["startedAt"].removesuffix("Z"),
        )
        for requirement, check in cases:
            _case(suite, requirement, check)
    _leaks(root, document["leaks"])
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _case(suite: ET.Element, requirement: Mapping[str, Any], check: Mapping[str, Any]) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        classname=f"{requirement['id']}.{check['scenario']}",
        name=printable(f"{check['title']} (step {check['step']})"),
        time=str(check["seconds"]),
    )
    verdict = check["verdict"]
    if verdict == "pass":
        return
    message = printable("; ".join(check["reasons"]) or verdict)
    details = printable("\n".join([requirement["text"], *check["reasons"], *check["reproduce"]]))
    if verdict in _SKIPS:
        ET.SubElement(case, "skipped", message=f"{verdict}: {message}")
    else:
        tag = "failure" if verdict in _FAILURES else "error"
        ET.SubElement(case, tag, type=verdict, message=message).text = details


def _leaks(root: ET.Element, leaks: Mapping[str, Any]) -> None:
    failed = bool(leaks["leaked"])
    suite = ET.SubElement(root, "testsuite", name="leaks", tests="1", failures=str(int(failed)))
    case = ET.SubElement(suite, "testcase", classname="leaks", name="nothing is left behind on the server")
    if failed:
        ET.SubElement(case, "failure", type="leak", message=printable(", ".join(leaks["leaked"])))
    elif leaks["verdict"] != "pass":
        ET.SubElement(case, "skipped", message=f"{leaks['verdict']}: {printable(leaks['note'])}")
