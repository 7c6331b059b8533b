"""No requirement that binds clients is without a test."""

from __future__ import annotations

import re
from pathlib import Path

from sandkit_codegen.load import load_spec_set

HERE = Path(__file__).parent


def test_every_promise_of_a_client_has_a_test() -> None:
    promised = {
        requirement.id
        for area in load_spec_set(HERE.parents[2] / "specs").areas
        for requirement in area.requirements
        if requirement.check == "sdk"
    }
    source = (HERE / "_async" / "test_client_promises.py").read_text(encoding="utf-8")
    tested = {f"API-{number}" for number in re.findall(r"def test_api_(\d+)_", source)}
    assert tested == promised
    assert len(promised) >= 4
