"""Generated packages satisfy the strictest type checker and cost little to import."""

from __future__ import annotations

import subprocess
import sys

import pytest

from .conftest import Generated


@pytest.mark.slow
def test_generated_packages_are_strictly_typed(generated: Generated) -> None:
    command = (
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--no-error-summary",
        "stress_server",
        "stress_client",
    )
    done = subprocess.run(command, cwd=generated.folder, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("", 0)


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import stress_client.operations.send_odd, stress_client.table", ("httpx", "msgspec", "asyncio")),
        ("import stress_client.operations", ("stress_client.models", "attrs")),
        ("import stress_client.errors, stress_client.states", ("stress_client.models", "attrs", "json")),
        ("import stress_server.errors, stress_server.states", ("msgspec", "stress_server.models", "json")),
        ("import stress_server.routes", ("starlette", "attrs", "httpx")),
    ],
)
def test_importing_loads_nothing_that_is_not_needed(
    generated: Generated, statement: str, absent: tuple[str, ...]
) -> None:
    script = f"import sys; {statement}; print(*[name for name in {absent!r} if name in sys.modules])"
    command = (sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {script}")
    done = subprocess.run(command, cwd=generated.folder, capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
