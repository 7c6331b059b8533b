"""What users may rely on, written down: a change here is a change of the public interface."""

from __future__ import annotations

import inspect
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

import sandkit
import sandkit.errors
import sandkit.testing

SURFACE = Path(__file__).with_name("public_surface.txt")


def described(module: object) -> list[str]:
    lines = []
    for name in sorted(module.__all__):  # type: ignore[attr-defined]
        value = getattr(module, name)
        if not inspect.isclass(value):
            shown = str(inspect.signature(value)) if callable(value) else f" = {value!r}"
            lines.append(f"{name}{shown}" if name != "__version__" else name)
            continue
        bases = ", ".join(base.__name__ for base in value.__bases__ if base is not object)
        lines.append(f"class {name}({bases})")
        lines += [f"    {line}" for line in members(value)]
    return lines


def members(kind: type) -> list[str]:
    if kind.__module__.startswith("sandkit._generated"):
        return []
    lines = []
    for name, value in sorted(vars(kind).items()):
        if name == "__init__" and getattr(kind, "_is_protocol", False):
            continue
        if name.startswith("_") and name not in {"__init__", "__aiter__", "__iter__", "__await__"}:
            continue
        if isinstance(value, property):
            lines.append(f"{name}: {inspect.signature(value.fget).return_annotation}")  # type: ignore[arg-type]
        elif inspect.isfunction(value) or isinstance(value, classmethod | staticmethod):
            function: Any = getattr(value, "__func__", value)
            prefix = "async " if inspect.iscoroutinefunction(function) else ""
            lines.append(f"{prefix}{name}{inspect.signature(function)}")
    annotations = vars(kind).get("__annotations__", {})
    if "__init__" not in vars(kind):
        shown = {name: getattr(entry, "__forward_arg__", entry) for name, entry in annotations.items()}
        lines += [f"{name}: {annotation}" for name, annotation in sorted(shown.items())]
    return lines


def surface() -> str:
    found = []
    for module in (sandkit, sandkit.errors, sandkit.testing):
        found += [f"# {module.__name__}", *described(module), ""]
    return "\n".join(found)


def test_the_public_surface_is_what_is_written_down() -> None:
    assert surface() == SURFACE.read_text(encoding="utf-8"), (
        "the public surface has changed; if that is meant, write it down with "
        "`python sdks/python/tests/write_public_surface.py` and note it in changelog.d"
    )


def test_what_is_public_is_sorted_and_there() -> None:
    for module in (sandkit, sandkit.errors, sandkit.testing):
        assert len(set(module.__all__)) == len(module.__all__)
        assert all(hasattr(module, name) for name in module.__all__)


def test_every_exception_of_the_tree_is_drawn_in_it_and_public() -> None:
    drawn = sandkit.errors.__doc__
    assert drawn is not None
    raised = [
        name
        for name in sandkit.errors.__all__
        if name.endswith("Error") and name != "RequestError"  # the base that nothing is raised as
    ]
    for name in raised:
        assert f" {name} " in drawn or f"\n{name}\n" in drawn, name
        assert name in sandkit.__all__


def test_every_public_name_has_a_docstring() -> None:
    for module in (sandkit, sandkit.errors, sandkit.testing):
        assert module.__doc__
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isclass(value) or inspect.isfunction(value):
                assert value.__doc__, name


@pytest.mark.parametrize("module", ["sandkit", "sandkit.errors"])
def test_importing_loads_no_http_library_and_opens_nothing(module: str) -> None:
    program = textwrap.dedent(
        f"""
        import sys
        touched = []
        sys.addaudithook(lambda event, args: touched.append(event) if event.startswith("socket.") else None)
        import {module}
        heavy = sorted({{"anyio", "asyncio", "httpx", "ssl"}} & sys.modules.keys())
        assert not heavy, heavy
        assert not touched, touched
        """
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_version_is_the_distributions() -> None:
    from importlib.metadata import version

    assert sandkit.__version__ == version("sandkit")


def test_types_are_published() -> None:
    assert Path(sandkit.__file__).with_name("py.typed").is_file()
