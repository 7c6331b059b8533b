from __future__ import annotations

from pathlib import Path

import pytest

from .broken import Broken, check

GET, DEL = "requirements/get.yaml", "requirements/del.yaml"

CASES = [
    Broken(
        "requirement-area",
        DEL,
        "area: DEL\ntitle: Deleting\nrequirements:\n  - id: DEL-01",
        "area: «REM\ntitle: Removing\nrequirements:\n  - id: REM-01",
        "The area REM is in the file del.yaml.",
        "Move it to rem.yaml, or correct the area.",
    ),
    Broken(
        "requirement-area",
        GET,
        "id: GET-02",
        "id: «PUT-02",
        "PUT-02 does not belong to the area GET.",
        "Begin the id with GET-, or move it.",
    ),
    Broken(
        "requirement-unique",
        GET,
        "id: GET-02",
        "id: «GET-01",
        "The id GET-01 was already used at {root}/requirements/get.yaml:5:9.",
        "Take the next free number.",
        also=frozenset({"requirement-sequence"}),
    ),
    Broken(
        "requirement-sequence",
        GET,
        "id: GET-02",
        "id: «GET-03",
        "GET-03 stands where GET-02 is due.",
        "Number in order and without gaps, with at least two digits.",
    ),
    Broken(
        "requirement-sequence",
        GET,
        "id: GET-02",
        "id: «GET-002",
        "GET-002 stands where GET-02 is due.",
        "Number in order and without gaps, with at least two digits.",
    ),
    Broken(
        "requirement-operation",
        GET,
        "operation: [getSandbox, getSnapshot]",
        "operation: [getSandbox, «readSnapshot]",
        "lifecycle.yaml has no operation readSnapshot.",
        "Correct it; the operations are createSandbox, getSandbox, deleteSandbox, getSnapshot.",
    ),
    Broken(
        "requirement-level",
        GET,
        "text: A read SHOULD be",
        "text: «A read MUST be",
        "The text of GET-02 does not say SHOULD.",
        "Say in the text what SHOULD hold, or change the level.",
    ),
    Broken(
        "requirement-check",
        GET,
        "    testable_on: [docker, kubernetes]\n    check: docker\n",
        "    testable_on: «[docker, kubernetes]\n",
        "GET-02 cannot be shown on memory and does not say where it is checked.",
        "Add `check` with the place, or make it testable on memory.",
    ),
    Broken(
        "requirement-check",
        GET,
        "    testable_on: [docker, kubernetes]\n    check: docker\n",
        "    testable_on: [memory, docker]\n    «check: docker\n",
        "GET-02 is testable on memory but checked on docker only.",
        "Remove `check`, or `memory` from testable_on.",
    ),
    Broken(
        "requirement-check",
        GET,
        "    notes: Memory is always fast enough.\n",
        "",
        "GET-02 does not say why memory cannot show it.",
        "Add a note with the reason.",
        at=(GET, "    «check: docker"),
    ),
    Broken(
        "requirement-source",
        DEL,
        "source: OpenSandbox lifecycle API, deleteSandbox",
        "source: «reference design, delete",
        "DEL-01 claims the contract, but its source is the reference design.",
        "Name the published contract, or change `authority`.",
    ),
    Broken(
        "requirement-source",
        GET,
        "source: reference design, latency",
        "source: «reference design, docs/latency.md",
        "The source of GET-02 is the file docs/latency.md of this repository.",
        "Name the contract, the RFC or the design it comes from.",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_catalogue_rule(case: Broken, tmp_path: Path) -> None:
    check(case, tmp_path)
