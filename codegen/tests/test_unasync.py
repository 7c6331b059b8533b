"""The blocking twin: what changes, what must not, and that the result runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sandkit_codegen.unasync import UnasyncError, sync_source, sync_tree


@pytest.mark.parametrize(
    ("asynchronous", "blocking"),
    [
        ("async def f():\n    return await g()\n", "def f():\n    return g()\n"),
        (
            "async def f():\n    async with a as b:\n        pass\n",
            "def f():\n    with a as b:\n        pass\n",
        ),
        ("async def f():\n    return [x async for x in y]\n", "def f():\n    return [x for x in y]\n"),
        ("x: Callable[[int], Awaitable[list[str]]]\n", "x: Callable[[int], list[str]]\n"),
        ("class AsyncPage: ...\n", "class Page: ...\n"),
        ("class _AsyncPage: ...\n", "class _Page: ...\n"),
        ("h: httpx.AsyncClient\n", "h: httpx.Client\n"),
        ("from sandkit._async.page import AsyncPage\n", "from sandkit._sync.page import Page\n"),
        ("from sandkit._io_async import sleep\n", "from sandkit._io_sync import sleep\n"),
        ("def __aenter__(self): ...\n", "def __enter__(self): ...\n"),
        ("asynchronous = 1\n", "asynchronous = 1\n"),
        ("Asyncio = awaited = 1\n", "Asyncio = awaited = 1\n"),
        ("x = 'await AsyncClient'\n", "x = 'await AsyncClient'\n"),
        ("x = f'{await_} await'\n", "x = f'{await_} await'\n"),
        ("# await AsyncClient() first\n", "# Client() first\n"),
    ],
)
def test_one_construct(asynchronous: str, blocking: str) -> None:
    assert sync_source(asynchronous) == blocking


def test_examples_in_docstrings_follow_the_code() -> None:
    source = '''class AsyncThing:
    """Use it so:

        async with AsyncThing() as thing:
            await thing.aclose()
    """
'''
    assert "with Thing() as thing:\n            thing.close()" in sync_source(source)


def test_what_is_async_only_is_left_out_with_its_decorators() -> None:
    source = """
class A:
    # async-only: blocking code has no await
    @property
    def __await__(self):
        return 1

    def kept(self):
        return 2
"""
    assert sync_source(source) == "\nclass A:\n\n    def kept(self):\n        return 2\n"


def test_an_await_inside_an_f_string_is_refused() -> None:
    with pytest.raises(UnasyncError, match="f-string"):
        sync_source('async def f():\n    return f"{await g()}"\n')


def test_a_stray_mark_is_an_error_with_its_line() -> None:
    with pytest.raises(UnasyncError, match="line 2"):
        sync_source("x = 1\n# async-only: nothing follows\n\ny = 2\n")


def test_the_twin_runs_and_gives_the_same_answers(tmp_path: Path) -> None:
    (tmp_path / "counting.py").write_text(
        """
class AsyncCounter:
    def __init__(self, stop):
        self.now, self.stop = 0, stop

    def __aiter__(self):
        return self

    async def __anext__(self):
        if self.now == self.stop:
            raise StopAsyncIteration
        self.now += 1
        return self.now


async def total(stop):
    return sum([number async for number in AsyncCounter(stop)])
""",
        encoding="utf-8",
    )
    files = sync_tree(tmp_path, "Made from {source}.")
    namespace: dict[str, Any] = {}
    exec(files["counting.py"], namespace)
    assert namespace["total"](4) == 10
    assert files["counting.py"].startswith(f"# Made from {tmp_path.name}/counting.py.\n")


def test_a_file_that_is_not_python_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def f(:\n", encoding="utf-8")
    with pytest.raises(UnasyncError, match=r"broken\.py"):
        sync_tree(tmp_path, "Made from {source}.")
