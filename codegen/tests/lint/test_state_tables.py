from __future__ import annotations

from pathlib import Path

import pytest

from .broken import Broken, check

API, STATES = "lifecycle.yaml", "states.yaml"
RUNNING = "    - {name: Running, description: Up., transitional: false, terminal: false}\n"
LAST_TRANSITION = "    - {from: Running, to: Gone, cause: deleted}\n"
SNAPSHOT_ROW = "      (unknown): {status: 404, code: SNAPSHOT::NOT_FOUND}\n"

CASES = [
    Broken(
        "state-unique",
        STATES,
        RUNNING,
        f"{RUNNING}    - {{name: «Running, description: Up again., transitional: false, terminal: false}}\n",
        "The state Running is declared twice.",
        "Remove one of the two.",
        also=frozenset({"state-values"}),
    ),
    Broken(
        "state-declared",
        STATES,
        "initial: [Pending]",
        "initial: [Pending, «Created]",
        "The state Created is not declared.",
        "Declare it under `states`, or use one of: Pending, Running, Gone.",
    ),
    Broken(
        "state-declared",
        STATES,
        LAST_TRANSITION,
        f"{LAST_TRANSITION}    - {{from: Running, to: «Paused, cause: paused}}\n",
        "The state Paused is not declared.",
        "Declare it under `states`, or use one of: Pending, Running, Gone.",
    ),
    Broken(
        "state-declared",
        STATES,
        LAST_TRANSITION,
        f"{LAST_TRANSITION}    - {{from: «Paused, to: Running, cause: resumed}}\n",
        "The state Paused is not declared.",
        "Declare it under `states`, or use one of: Pending, Running, Gone.",
    ),
    Broken(
        "state-declared",
        STATES,
        "      Gone: {status: 204}\n",
        "      Gone: {status: 204, to: «Lost}\n",
        "The state Lost is not declared.",
        "Declare it under `states`, or use one of: Pending, Running, Gone.",
    ),
    Broken(
        "transition-unique",
        STATES,
        LAST_TRANSITION,
        f"{LAST_TRANSITION}    - «{{from: Running, to: Gone, cause: expired}}\n",
        "The transition from Running to Gone is given twice.",
        "Merge the causes into one.",
    ),
    Broken(
        "transition-unique",
        STATES,
        LAST_TRANSITION,
        f"{LAST_TRANSITION}    - «{{from: Running, to: Running, cause: nothing}}\n",
        "Running leads to itself.",
        "Remove it; staying is not a transition.",
    ),
    Broken(
        "state-terminal",
        STATES,
        LAST_TRANSITION,
        f"{LAST_TRANSITION}    - {{«from: Gone, to: Running, cause: revived}}\n",
        "Gone is terminal, but Running follows it.",
        "Remove the transition, or set `terminal: false` on Gone.",
    ),
    Broken(
        "state-terminal",
        STATES,
        "{name: Ready, description: Usable., transitional: false, terminal: true}",
        "{name: Ready, description: Usable., transitional: false, «terminal: false}",
        "Nothing follows Ready, but it is not terminal.",
        "Add a transition, or set `terminal: true`.",
    ),
    Broken(
        "state-reachable",
        STATES,
        "    - {from: Pending, to: Running, cause: ready}\n",
        "",
        "No way leads from Pending to Running.",
        "Add a transition to it, or remove it.",
        at=(STATES, "{name: «Running,"),
    ),
    Broken(
        "table-total",
        STATES,
        "      Creating: {status: 200}\n      Ready: {status: 200}\n      (unknown):",
        "      Ready: {status: 200}\n      (unknown):",
        "getSnapshot has no answer for Creating.",
        "Add a cell for each; a server must answer in every state.",
        at=(STATES, "    «getSnapshot:"),
    ),
    Broken(
        "table-total",
        STATES,
        SNAPSHOT_ROW,
        "",
        "getSnapshot has no answer for (unknown).",
        "Add a cell for each; a server must answer in every state.",
        at=(STATES, "    «getSnapshot:"),
    ),
    Broken(
        "table-total",
        STATES,
        SNAPSHOT_ROW,
        f"{SNAPSHOT_ROW}      «Failed: {{status: 200}}\n",
        "Failed is not a state.",
        "Correct it; the columns are Creating, Ready, (unknown).",
    ),
    Broken(
        "table-operation",
        STATES,
        "    getSnapshot:\n",
        "    «readSnapshot:\n",
        "lifecycle.yaml has no operation readSnapshot.",
        "Correct it; the operations are createSandbox, getSandbox, deleteSandbox, getSnapshot.",
    ),
    Broken(
        "table-transition",
        STATES,
        "      Gone: {status: 204}\n",
        "      Gone: {status: 204, to: «Running}\n",
        "deleteSandbox leads from Gone to Running, which is no transition.",
        "Add the transition, or correct the cell.",
    ),
    Broken(
        "state-values",
        API,
        "x-known-values: [Pending, Running, Gone]",
        "«x-known-values: [Pending, Running]",
        "The known values of SandboxStatus.state are not the states of states.yaml.",
        "Write x-known-values: [Pending, Running, Gone].",
    ),
    Broken(
        "state-values",
        API,
        "        state:\n          type: string\n          x-known-values: [Creating, Ready]\n",
        "        phase:\n          type: string\n",
        "lifecycle.yaml has no property `state` in the schema SnapshotStatus.",
        "Add it; clients read the state there.",
        at=(API, "«components:\n"),
        also=frozenset({"schema-required", "example-valid"}),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_state_rule(case: Broken, tmp_path: Path) -> None:
    check(case, tmp_path)
