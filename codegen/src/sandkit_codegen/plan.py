"""Which folders are generated, and by which target."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from sandkit_codegen.rendering import NOTICE, formatted
from sandkit_codegen.source import Source
from sandkit_codegen.targets.chart import render_chart
from sandkit_codegen.targets.conformance import render_conformance
from sandkit_codegen.targets.docs import render_docs
from sandkit_codegen.targets.python import render_python
from sandkit_codegen.targets.server import render_server
from sandkit_codegen.toolchain import Toolchain
from sandkit_codegen.unasync import sync_tree


@dataclass(frozen=True, slots=True)
class Workspace:
    """What a target may read: the specs, the generators, and the root of the repository."""

    source: Source
    toolchain: Toolchain
    root: Path


@dataclass(frozen=True, slots=True)
class Folder:
    """One generated folder, relative to the root, with the text of every file in it."""

    path: str
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Target:
    """A folder and what fills it. The folder holds generated files only."""

    name: str
    path: str
    render: Callable[[Workspace], Mapping[str, str]]


TARGETS: tuple[Target, ...] = (
    Target(
        "server",
        "server_stub/src/sandkit_server/_generated",
        lambda work: render_server(work.source, work.toolchain),
    ),
    Target(
        "python",
        "sdks/python/src/sandkit/_generated",
        lambda work: render_python(work.source, work.toolchain),
    ),
    Target(
        "conformance",
        "sdks/conformance/src/sandkit_conformance/_generated",
        lambda work: render_conformance(work.source),
    ),
    Target("chart", "server_stub/deploy/chart/_generated", lambda work: render_chart(work.source)),
    Target("docs", "docs/reference/_generated", lambda work: render_docs(work.source)),
    Target(
        "sync",
        "sdks/python/src/sandkit/_sync",
        lambda work: _blocking(work, "sdks/python/src/sandkit/_async"),
    ),
    Target("sync", "sdks/python/tests/_sync", lambda work: _blocking(work, "sdks/python/tests/_async")),
)


def _blocking(workspace: Workspace, source: str) -> Mapping[str, str]:
    """The blocking twin of a folder of asynchronous sources, which are written by hand."""
    notice = NOTICE.replace("specs/", f"{Path(source).parent.as_posix()}/{{source}}")
    return formatted(sync_tree(workspace.root / source, notice))


def render(workspace: Workspace, targets: Iterable[Target]) -> tuple[Folder, ...]:
    """Render the targets side by side, in the order given. Raises what the first failing target raises."""
    chosen = tuple(targets)
    with ThreadPoolExecutor(max_workers=len(chosen) or 1, thread_name_prefix="target") as pool:
        rendered = pool.map(lambda target: Folder(target.path, target.render(workspace)), chosen)
        return tuple(rendered)
