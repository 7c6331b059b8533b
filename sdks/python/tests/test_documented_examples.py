"""The examples in the docstrings of the package run."""

from __future__ import annotations

import re

import pytest

import sandkit
import sandkit.testing
from sandkit_server.testing import EmbeddedServer

FENCE = re.compile(r"```python\n(.*?)```", re.DOTALL)


def example(text: str | None) -> str:
    found = FENCE.findall(text or "")
    assert len(found) == 1
    return str(found[0])


def test_the_example_of_the_package(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPEN_SANDBOX_DOMAIN", server.base_url)
    monkeypatch.setenv("OPEN_SANDBOX_API_KEY", str(server.api_key))
    exec(example(sandkit.__doc__), {})
    assert capsys.readouterr().out.startswith("http://127.0.0.1:")


def test_the_example_of_the_testing_module() -> None:
    namespace: dict[str, object] = {}
    exec(example(sandkit.testing.__doc__), namespace)
    assert "clock" in namespace
