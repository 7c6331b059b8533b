"""A folder is replaced whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandkit_codegen import staging
from sandkit_codegen.plan import Folder
from sandkit_codegen.staging import swap_in


def listing(root: Path) -> dict[str, str]:
    return {path.relative_to(root).as_posix(): path.read_text() for path in root.rglob("*") if path.is_file()}


def test_new_folders_are_made(tmp_path: Path) -> None:
    assert swap_in(tmp_path, [Folder("a/b", {"x.py": "1", "sub/y.py": "2"})]) == ("a/b",)
    assert listing(tmp_path) == {"a/b/x.py": "1", "a/b/sub/y.py": "2"}


def test_only_what_differs_is_replaced(tmp_path: Path) -> None:
    folders = [Folder("a", {"x": "1"}), Folder("b", {"y": "2"})]
    swap_in(tmp_path, folders)
    assert swap_in(tmp_path, folders) == ()
    (tmp_path / "a" / "extra").write_text("3")
    assert swap_in(tmp_path, folders) == ("a",)
    assert listing(tmp_path) == {"a/x": "1", "b/y": "2"}


def test_a_failure_while_staging_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    swap_in(tmp_path, [Folder("a", {"x": "old"}), Folder("b", {"y": "old"})])
    real = staging._stage

    def failing(place: Path, files: dict[str, str]) -> Path:
        if place.name == "b":
            raise OSError("disk full")
        return real(place, files)

    monkeypatch.setattr(staging, "_stage", failing)
    with pytest.raises(OSError, match="disk full"):
        swap_in(tmp_path, [Folder("a", {"x": "new"}), Folder("b", {"y": "new"})])
    assert listing(tmp_path) == {"a/x": "old", "b/y": "old"}


def test_a_failure_while_swapping_brings_the_old_folder_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    swap_in(tmp_path, [Folder("a", {"x": "old"})])
    real = Path.replace

    def failing(self: Path, target: Path) -> Path:
        if self.suffix == ".new":
            raise OSError("busy")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(OSError, match="busy"):
        swap_in(tmp_path, [Folder("a", {"x": "new"})])
    monkeypatch.undo()
    assert listing(tmp_path) == {"a/x": "old"}
