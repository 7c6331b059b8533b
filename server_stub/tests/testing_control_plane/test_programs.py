from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sandkit_server.testing.control_plane import programs


def test_without_go_it_says_what_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("dirname", "sh"):
        found = shutil.which(name)
        assert found is not None
        (tmp_path / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("SANDKIT_CACHE", str(tmp_path / "cache"))
    with pytest.raises(programs.ProgramsMissing, match="say what is missing"):
        programs.build()
    assert "needs Go 1.24 or newer (https://go.dev/dl)" in capfd.readouterr().err
