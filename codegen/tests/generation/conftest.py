"""The packages generated from the stress specification, once per test process, importable."""

from __future__ import annotations

import dataclasses
import importlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from sandkit_codegen.load import OpenApi, load_spec_set, read_document
from sandkit_codegen.source import Source, read_source
from sandkit_codegen.targets.python import render_python
from sandkit_codegen.targets.server import render_server
from sandkit_codegen.toolchain import Toolchain

REPOSITORY = Path(__file__).parents[3]
STRESS = Path(__file__).parent / "stress" / "lifecycle.yaml"


@dataclass(frozen=True)
class Generated:
    """Two generated packages on the import path, below `folder`."""

    folder: Path

    def module(self, name: str) -> ModuleType:
        return importlib.import_module(name)


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def toolchain() -> Toolchain:
    return Toolchain(REPOSITORY / ".venv-gen")


@pytest.fixture(scope="session")
def stress_source() -> Source:
    specs = load_spec_set(REPOSITORY / "specs")
    return read_source(dataclasses.replace(specs, openapi=OpenApi(read_document(STRESS))))


@pytest.fixture(scope="session")
def generated(
    stress_source: Source, toolchain: Toolchain, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Generated]:
    folder = tmp_path_factory.mktemp("stress")
    write(folder / "stress_server", render_server(stress_source, toolchain, "stress_server"))
    write(folder / "stress_client", render_python(stress_source, toolchain, "stress_client"))
    sys.path.insert(0, str(folder))
    yield Generated(folder)
    sys.path.remove(str(folder))


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
