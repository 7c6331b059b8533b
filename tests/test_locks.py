"""The committed locks: every pin has a digest, and no file says from where it was downloaded."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PIN = re.compile(r"^[a-z0-9][a-z0-9._-]*(\[[a-z0-9,-]+\])?==\S+( ; [^\\]+)? \\$")
DIGEST = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_a_lock_holds_pins_and_digests_and_nothing_else(lock: Path) -> None:
    lines = [line for line in lock.read_text("utf-8").splitlines() if not line.startswith("#")]
    pins = [number for number, line in enumerate(lines) if PIN.match(line)]

    assert pins
    assert all(DIGEST.match(lines[number + 1]) for number in pins), "a pin without a digest"
    assert [line for line in lines if not PIN.match(line) and not DIGEST.match(line)] == []


def test_every_wish_has_a_lock() -> None:
    assert [lock.stem for lock in LOCKS] == sorted(wish.stem for wish in (ROOT / "requirements").glob("*.in"))


def _pinned_uv(lock: str) -> str:
    found = re.search(r"^uv==\S+", (ROOT / "requirements" / lock).read_text("utf-8"), re.MULTILINE)
    assert found, lock
    return found.group()


def test_the_environment_keeps_the_uv_that_made_it() -> None:
    assert _pinned_uv("dev.txt") == _pinned_uv("uv.txt")


def test_the_node_lock_names_no_registry_and_pins_digests() -> None:
    lock = json.loads((ROOT / "codegen" / "node" / "package-lock.json").read_text("utf-8"))
    installed = {name: entry for name, entry in lock["packages"].items() if name}

    assert installed
    for name, entry in installed.items():
        assert "resolved" not in entry, name
        assert entry["integrity"].startswith("sha512-"), name
