"""Short versions of the long campaigns (`make campaign`): other seeds, other right servers, killed runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sandkit_conformance.mutants.listing import MutantEntry
from sandkit_conformance.mutants.serving import Servers
from sandkit_conformance.mutants.trial import Fate, Manner, try_mutant

KILLED_RUNS = Path(__file__).parents[4] / "scripts" / "killed_runs.py"

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("seed", "name"),
    [(1, "benign-other-spelling"), (2, "benign-general-codes"), (3, "benign-without-options")],
)
def test_a_right_server_is_green_whatever_the_seed(
    seed: int, name: str, servers: Servers, entries: dict[str, MutantEntry]
) -> None:
    trial = try_mutant(servers, entries[name], Manner(seed=seed))
    assert trial.fate is Fate.GREEN, trial
    assert trial.seed == seed


def test_what_a_killed_run_leaves_is_swept_up() -> None:
    done = subprocess.run(
        [sys.executable, str(KILLED_RUNS), "--points", "4"], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 of 4 killed runs were swept up clean" in done.stdout
