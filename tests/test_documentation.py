"""What the documentation tells a reader: its Python runs, its commands exist, its links lead somewhere."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandkit_server.testing import EmbeddedServer

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    page
    for page in (
        *ROOT.glob("*.md"),
        *ROOT.glob("*/README.md"),
        *ROOT.glob("sdks/*/README.md"),
        *ROOT.glob("docs/**/*.md"),
    )
    if "_generated" not in page.parts
)
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<code>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
LINK = re.compile(r"\[[^\]]*\]\((?!https?://|#|mailto:)(?P<target>[^)#\s]+)[^)]*\)")
PROGRAMS = {
    "sandkit-server": "sandkit_server",
    "sandkit-conformance": "sandkit_conformance",
}


@dataclass(frozen=True)
class Snippet:
    """A fenced block: its language, its text, and the line of the page on which the text starts."""

    language: str
    code: str
    line: int


def snippets(page: Path) -> list[Snippet]:
    text = page.read_text("utf-8")
    return [
        Snippet(
            language=match["language"],
            code="".join(
                line.removeprefix(match["indent"]) for line in match["code"].splitlines(keepends=True)
            ),
            line=text.count("\n", 0, match.start("code")) + 1,
        )
        for match in FENCE.finditer(text)
    ]


def pages_with(language: str) -> list[Path]:
    return [page for page in PAGES if any(snippet.language == language for snippet in snippets(page))]


def commands() -> Iterator[tuple[str, list[str]]]:
    """Every command line of the pages' shell blocks, with where it stands."""
    for page in PAGES:
        for snippet in snippets(page):
            if snippet.language not in {"sh", "console"}:
                continue
            joined = snippet.code.replace("\\\n", " ")
            for line in joined.splitlines():
                words = shlex.split(line.removeprefix("$ "), comments=True)
                if words:
                    yield f"{page.relative_to(ROOT)}: {line.strip()}", words


def relative(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedServer]:
    """A server where the SDK looks for one by default, as a reader of the tutorial has it running."""
    with EmbeddedServer() as server:
        monkeypatch.setenv("OPEN_SANDBOX_DOMAIN", server.base_url)
        monkeypatch.setenv("OPEN_SANDBOX_API_KEY", server.api_key or "")
        yield server


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("page", pages_with("python"), ids=relative)
def test_the_python_of_a_page_runs_from_top_to_bottom(page: Path) -> None:
    namespace: dict[str, object] = {"__name__": "__main__"}
    for snippet in snippets(page):
        if snippet.language == "python":
            # The empty lines in front make a traceback point at the line of the page.
            exec(compile("\n" * (snippet.line - 1) + snippet.code, str(page), "exec"), namespace)


def test_every_make_target_of_the_pages_exists() -> None:
    known = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {
        word
        for _, words in commands()
        if words[0] == "make"
        for word in words[1:]
        if word[0] != "-" and "=" not in word
    }

    assert {"conformance", "test"} <= named
    assert named - known == set()


def test_every_option_of_the_pages_exists() -> None:
    help_of: dict[tuple[str, str], str] = {}
    checked = 0
    for place, words in commands():
        if words[0] not in PROGRAMS:
            continue
        asked = (words[0], words[1])
        if asked not in help_of:
            command = [sys.executable, "-m", PROGRAMS[words[0]], words[1], "--help"]
            answer = subprocess.run(command, capture_output=True, text=True, check=False)
            assert answer.returncode == 0, f"{place}: {answer.stderr}"
            help_of[asked] = answer.stdout
        for option in (word.split("=")[0] for word in words if word.startswith("--")):
            assert re.search(rf"(?<![\w-]){option}(?![\w-])", help_of[asked]), f"{place}: no option {option}"
            checked += 1
    assert checked


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_links_to_files_of_the_repository_lead_somewhere(page: Path) -> None:
    prose = FENCE.sub("", page.read_text("utf-8"))
    missing = [
        match["target"]
        for match in LINK.finditer(prose)
        if not (page.parent / match["target"]).resolve().exists()
    ]

    assert missing == []


def test_every_make_target_says_what_it_does() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    phony = set(re.findall(r"^\.PHONY: (\S+)$", makefile, re.MULTILINE))
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert phony
    assert {line.split()[0] for line in listed.splitlines() if len(line.split()) > 1} == phony
