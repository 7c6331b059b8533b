"""A promise whose text has changed is red until its checks were looked at."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPT = Path("scripts/review.py")
REVIEWED = Path("sdks/conformance/reviewed.json")


def _review(root: Path, *words: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, str(root / SCRIPT), *words], capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stderr


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The script and its record, where a test may spoil them."""
    for path in (SCRIPT, REVIEWED):
        (tmp_path / path).parent.mkdir(parents=True)
        shutil.copy(ROOT / path, tmp_path / path)
    return tmp_path


def test_every_promise_was_reviewed_as_it_stands() -> None:
    assert _review(ROOT, "check") == (0, "")


def test_changed_new_and_dropped_promises_are_red_until_accepted(copy: Path) -> None:
    reviewed = json.loads((copy / REVIEWED).read_text("utf-8"))
    del reviewed["VOL-07"]
    reviewed |= {"PAU-01": "sha256:another", "OLD-01": "sha256:whatever"}
    (copy / REVIEWED).write_text(json.dumps(reviewed), "utf-8")

    code, said = _review(copy, "check")

    assert code == 1
    changed, new, dropped = said.splitlines()
    assert changed.startswith("PAU-01 has changed since its checks were reviewed")
    assert "make review ID=PAU-01" in changed
    assert new.startswith("VOL-07 is new")
    assert dropped.startswith("OLD-01 is reviewed and no longer promised")

    assert _review(copy, "accept", "PAU-01", "OLD-01") == (0, "")
    code, said = _review(copy, "check")
    assert (code, [line.split()[0] for line in said.splitlines()]) == (1, ["VOL-07"])

    assert _review(copy, "accept", "VOL-07") == (0, "")
    assert (copy / REVIEWED).read_text("utf-8") == (ROOT / REVIEWED).read_text("utf-8")


def test_accepting_what_does_not_exist_changes_nothing(copy: Path) -> None:
    code, said = _review(copy, "accept", "PAU-99")

    assert code == 2
    assert "PAU-99: no such requirement" in said
    assert (copy / REVIEWED).read_bytes() == (ROOT / REVIEWED).read_bytes()


@pytest.mark.parametrize("words", [(), ("accept",), ("chekc",)])
def test_other_words_are_told_the_right_ones(words: tuple[str, ...]) -> None:
    code, said = _review(ROOT, *words)

    assert code == 2
    assert "check | accept ID" in said
