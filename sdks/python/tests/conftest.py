"""A reference server for the tests that need a real one, and an environment that says nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandkit_server.testing import EmbeddedServer


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as running:
        yield running


@pytest.fixture(autouse=True)
def silent_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("API_KEY", "DOMAIN", "PROTOCOL"):
        monkeypatch.delenv(f"OPEN_SANDBOX_{name}", raising=False)
    monkeypatch.delenv("SANDKIT_LOG", raising=False)
