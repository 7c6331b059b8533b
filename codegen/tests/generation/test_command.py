"""`generate` and `verify` as a user meets them, on a copy of the specs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sandkit_codegen.command import main
from sandkit_codegen.plan import TARGETS
from sandkit_codegen.rendering import NOTICE

FAST = ("--target", "conformance", "--target", "docs")
CATALOGUE = "sdks/conformance/src/sandkit_conformance/_generated/catalogue.json"


def checkout(folder: Path, repository: Path) -> Path:
    """A repository with specs and generators, and nothing generated."""
    shutil.copytree(repository / "specs", folder / "specs")
    (folder / ".venv-gen").symlink_to(repository / ".venv-gen")
    return folder


@pytest.fixture
def root(tmp_path: Path, repository: Path) -> Path:
    return checkout(tmp_path, repository)


@pytest.fixture
def written(root: Path) -> Path:
    assert main(["generate", "--root", str(root), *FAST]) == 0
    return root


def tree(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for target in TARGETS
        for path in sorted((root / target.path).rglob("*"))
        if path.is_file()
    }


def run(root: Path, *arguments: str, seed: str = "0") -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "sandkit_codegen", *arguments, "--root", ".")
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_two_runs_give_the_same_bytes(tmp_path: Path, repository: Path) -> None:
    trees = []
    for seed in ("1", "2"):
        root = checkout(tmp_path / seed, repository)
        done = run(root, "generate", seed=seed)
        assert (done.stderr, done.returncode) == ("", 0)
        trees.append(tree(root))
    assert trees[0].keys() == trees[1].keys()
    assert [name for name in trees[0] if trees[0][name] != trees[1][name]] == []
    assert len(trees[0]) > 50
    assert [
        name for name, content in trees[0].items() if NOTICE.encode() not in content.split(b"\n")[0]
    ] == []
    assert run(tmp_path / "1", "verify", seed="3").returncode == 0


def test_verify_is_green_after_generate(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["verify", "--root", str(written), *FAST]) == 0
    assert capsys.readouterr().out == "9 generated files are as the specs say\n"


def test_generating_again_touches_nothing(written: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in written.rglob("*") if path.is_file()}
    assert main(["generate", "--root", str(written), *FAST]) == 0
    assert {path: path.stat().st_mtime_ns for path in written.rglob("*") if path.is_file()} == before


def test_one_changed_byte_is_drift(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written / CATALOGUE
    file.write_bytes(file.read_bytes().replace(b"MUST", b"MAST", 1))
    capsys.readouterr()
    assert main(["verify", "--root", str(written), *FAST]) == 1
    told = capsys.readouterr().out
    assert f"changed  {CATALOGUE}" in told
    assert "MAST" in told
    assert told.endswith("1 generated file out of step with specs/: run `make generate`\n")


def test_other_line_ends_are_drift(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written / CATALOGUE
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert main(["verify", "--root", str(written), *FAST]) == 1
    assert "line ends differ" in capsys.readouterr().out


def test_missing_and_extra_files_are_drift(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (written / CATALOGUE).unlink()
    (written / CATALOGUE).with_name("mine.py").write_text("x = 1\n")
    (written / CATALOGUE).with_name("link.json").symlink_to("/dev/null")
    (written / CATALOGUE).parent.joinpath("__pycache__").mkdir()
    capsys.readouterr()
    assert main(["verify", "--root", str(written), *FAST]) == 1
    told = capsys.readouterr().out.splitlines()
    folder = CATALOGUE.rpartition("/")[0]
    assert told[:3] == [f"missing  {CATALOGUE}", f"extra    {folder}/link.json", f"extra    {folder}/mine.py"]


def test_generate_removes_what_does_not_belong(written: Path) -> None:
    stranger = (written / CATALOGUE).with_name("mine.py")
    stranger.write_text("x = 1\n")
    assert main(["generate", "--root", str(written), *FAST]) == 0
    assert not stranger.exists()
    assert sorted(path.name for path in stranger.parent.parent.iterdir()) == ["_generated"]


def test_a_changed_spec_line_is_drift(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = written / "specs" / "errors.yaml"
    spec.write_text(spec.read_text().replace("There is no sandbox with this id", "No sandbox has this id"))
    capsys.readouterr()
    assert main(["verify", "--root", str(written), *FAST]) == 1
    told = capsys.readouterr().out
    assert "changed  docs/reference/_generated/errors.md" in told
    assert "No sandbox has this id" in told


@pytest.mark.slow
def test_a_changed_schema_reaches_the_code_of_server_and_client(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    targets = ("--target", "server", "--target", "python")
    assert main(["generate", "--root", str(root), *targets]) == 0
    spec = root / "specs" / "lifecycle.yaml"
    spec.write_text(
        spec.read_text().replace(
            "snapshotId:\n          type: string\n          minLength: 1",
            "snapshotId:\n          type: string\n          minLength: 2",
            1,
        )
    )
    capsys.readouterr()
    assert main(["verify", "--root", str(root), *targets]) == 1
    assert "min_length=2" in capsys.readouterr().out


def test_a_broken_spec_is_positioned_and_writes_nothing(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = root / "specs" / "lifecycle.yaml"
    text = spec.read_text()
    line = next(
        number for number, content in enumerate(text.splitlines(), 1) if "schemas/SandboxPage" in content
    )
    spec.write_text(text.replace("schemas/SandboxPage", "schemas/SandboxPaeg", 1))
    assert main(["generate", "--root", str(root), *FAST]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"{spec.as_posix()}:{line}:")
    assert "SandboxPaeg" in told
    assert tree(root) == {}


def test_missing_specs_are_said_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--root", str(tmp_path)]) == 2
    assert "lifecycle.yaml:1:1: file-missing" in capsys.readouterr().err


def test_missing_generators_are_said_so(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / ".venv-gen").unlink()
    assert main(["generate", "--root", str(root), "--target", "server"]) == 2
    assert "datamodel-codegen is not there. Run `make setup-codegen`." in capsys.readouterr().err
    assert tree(root) == {}


def test_another_version_of_a_generator_is_refused(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / ".venv-gen").unlink()
    environment = root / ".venv-gen" / "client"
    (environment / "bin").mkdir(parents=True)
    (environment / "bin" / "openapi-python-client").write_text("#!/bin/sh\nexit 0\n")
    (environment / "lib/python3.11/site-packages/openapi_python_client-0.30.0.dist-info").mkdir(parents=True)
    assert main(["generate", "--root", str(root), "--target", "python"]) == 2
    assert "openapi-python-client 0.29.1 is needed" in capsys.readouterr().err


def test_a_failing_generator_shows_its_own_words(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / ".venv-gen").unlink()
    environment = root / ".venv-gen" / "client"
    (environment / "bin").mkdir(parents=True)
    tool = environment / "bin" / "openapi-python-client"
    tool.write_text("#!/bin/sh\necho 'cannot parse this' >&2\nexit 3\n")
    tool.chmod(0o755)
    (environment / "lib/python3.11/site-packages/openapi_python_client-0.29.1.dist-info").mkdir(parents=True)
    assert main(["generate", "--root", str(root), "--target", "python"]) == 2
    told = capsys.readouterr().err
    assert "failed with exit code 3" in told
    assert "cannot parse this" in told


def test_the_blocking_twin_follows_its_source(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = root / "sdks/python/src/sandkit/_async/page.py"
    source.parent.mkdir(parents=True)
    source.write_text("async def first() -> int:\n    return await one()\n")
    assert main(["generate", "--root", str(root), "--target", "sync"]) == 0
    twin = root / "sdks/python/src/sandkit/_sync/page.py"
    notice = NOTICE.replace("specs/", "sdks/python/src/sandkit/_async/page.py")
    assert twin.read_text() == f"# {notice}\ndef first() -> int:\n    return one()\n"
    source.write_text("async def first() -> str:\n    return await one()\n")
    assert main(["verify", "--root", str(root), "--target", "sync"]) == 1
    source.write_text("async def first(:\n")
    capsys.readouterr()
    assert main(["generate", "--root", str(root), "--target", "sync"]) == 2
    assert "_async/page.py" in capsys.readouterr().err
    assert twin.read_text().endswith("return one()\n")


def test_the_linter_is_reached(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", "--rules", str(repository / "specs")]) == 0
    assert "operation" in capsys.readouterr().out
