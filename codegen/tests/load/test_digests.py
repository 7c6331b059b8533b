from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sandkit_codegen.load import canonical_text, digest, load_spec_set, requirement_digest, spec_digest

SPECS = Path(__file__).parents[3] / "specs"
MINIMAL = Path(__file__).parents[1] / "lint" / "minimal"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "specs"
    shutil.copytree(MINIMAL, folder)
    shutil.copytree(SPECS / "schemas", folder / "schemas")
    return folder


def _change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


def _requirement(root: Path) -> str:
    return requirement_digest(load_spec_set(root).requirements[-1])


def test_a_digest_names_its_algorithm() -> None:
    # Published value: SHA-256 of the two bytes `{}`.
    assert digest({}) == "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


def test_the_order_of_keys_does_not_count_and_that_of_items_does() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest([1, 2]) != digest([2, 1])
    assert digest("1") != digest(1)


def test_white_space_and_composition_do_not_count() -> None:
    assert canonical_text("  a\n  cafe\u0301\t b ") == "a caf\u00e9 b"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("answered within a second", "answered within two seconds"),
        ("level: SHOULD", "level: MAY"),
        ("authority: proposed", "authority: gap"),
        ("operation: [getSandbox, getSnapshot]", "operation: [getSandbox]"),
        ("capability: snapshots", "capability: null"),
        ("probe: [view]", "probe: []"),
        ("control: [clock]", "control: [clock, faults]"),
        ("id: GET-02", "id: GET-03"),
    ],
)
def test_a_changed_promise_changes_its_digest(old: str, new: str, root: Path) -> None:
    before = _requirement(root)
    _change(root / "requirements" / "get.yaml", old, new)
    assert _requirement(root) != before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            "text: A read SHOULD be answered within",
            "text: >-\n      A read SHOULD\n      be answered  within",
        ),
        ("People wait in front", "Nobody waits in front"),
        ("Memory is always fast enough.", "Memory is quick."),
        ("source: reference design, latency", "source: reference design, speed"),
        ("testable_on: [docker, kubernetes]", "testable_on: [docker]"),
        ("title: Reading", "title: Looking  # at things"),
    ],
)
def test_a_reworded_explanation_keeps_it(old: str, new: str, root: Path) -> None:
    before = _requirement(root)
    _change(root / "requirements" / "get.yaml", old, new)
    assert _requirement(root) == before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("lifecycle.yaml", "          minimum: 60\n", "          minimum: 61\n"),
        ("states.yaml", "cause: committed", "cause: pushed"),
        ("errors.yaml", "status: 503", "status: 500"),
    ],
)
def test_a_changed_contract_changes_the_spec_digest(file: str, old: str, new: str, root: Path) -> None:
    before = spec_digest(load_spec_set(root))
    _change(root / file, old, new)
    assert spec_digest(load_spec_set(root)) != before


def test_comments_and_promises_are_no_part_of_the_spec_digest(root: Path) -> None:
    before = spec_digest(load_spec_set(root))
    _change(root / "errors.yaml", "version: 1\n", "# The table.\nversion: 1\n\n")
    _change(root / "requirements" / "get.yaml", "within a second", "within two seconds")
    assert spec_digest(load_spec_set(root)) == before
