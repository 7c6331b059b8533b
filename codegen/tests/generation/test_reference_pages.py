"""The reference pages: every link leads somewhere, and no text of the specs breaks a table."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import markdown  # type: ignore[import-untyped]
import pytest

from sandkit_codegen.load import MapNode, SpecSet, follow, load_spec_set, plain
from sandkit_codegen.source import Source, read_source
from sandkit_codegen.targets.docs import render_docs


class Page(HTMLParser):
    """What a rendered page holds: anchors, links, and the number of cells of each table row."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.rows: list[list[int]] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append(tag)
        self.anchors.add(values.get("id") or "")
        if tag == "a":
            self.links.append(values.get("href") or "")
        elif tag == "table":
            self.rows.append([])
        elif tag == "tr":
            self.rows[-1].append(0)
        elif tag in ("td", "th"):
            self.rows[-1][-1] += 1


def rendered(pages: Mapping[str, str]) -> dict[str, Page]:
    extensions = ["attr_list", "fenced_code", "md_in_html", "tables", "toc"]
    return {name: Page(markdown.markdown(text, extensions=extensions)) for name, text in pages.items()}


@pytest.fixture(scope="module")
def specs(repository: Path) -> SpecSet:
    return load_spec_set(repository / "specs")


@pytest.fixture(scope="module")
def texts(specs: SpecSet) -> dict[str, str]:
    return render_docs(read_source(specs))


@pytest.fixture(scope="module")
def pages(texts: dict[str, str]) -> dict[str, Page]:
    return rendered(texts)


def test_every_link_leads_to_an_anchor(pages: dict[str, Page]) -> None:
    links = [(name, link) for name, page in pages.items() for link in page.links]
    assert len(links) > 500
    dangling = []
    for name, link in links:
        target, _, anchor = link.partition("#")
        page = pages.get(target or name)
        if page is None or anchor not in page.anchors:
            dangling.append((name, link))
    assert dangling == []


def test_everything_has_its_anchor(pages: dict[str, Page], specs: SpecSet) -> None:
    assert {operation.operation_id for operation in specs.openapi.operations} <= pages[
        "operations.md"
    ].anchors
    assert {f"schema-{name}" for name in specs.openapi.components("schemas")} <= pages[
        "operations.md"
    ].anchors
    assert {error.code.replace("::", "-") for error in specs.errors} <= pages["errors.md"].anchors
    assert {requirement.id for requirement in specs.requirements} <= pages["requirements.md"].anchors


def test_no_text_breaks_a_table(pages: dict[str, Page], stress_source: Source) -> None:
    odd = {f"stress-{name}": page for name, page in rendered(render_docs(stress_source)).items()}
    ragged = [(name, row) for name, page in (pages | odd).items() for row in page.rows if len(set(row)) > 1]
    assert ragged == []
    assert "b" not in odd["stress-operations.md"].tags


def test_examples_are_shown_as_they_go_over_the_wire(texts: dict[str, str], specs: SpecSet) -> None:
    shown = [
        json.loads(text)
        for text in re.findall(r"^```json\n(.*?)^```", texts["operations.md"], re.DOTALL | re.MULTILINE)
    ]
    body = specs.openapi.request_body(specs.openapi.operation("createSandbox"))
    wanted = follow(body, ("content", "application/json", "examples")) if body else None
    assert isinstance(wanted, MapNode)
    values = [
        plain(example.entries["value"]) for example in wanted.entries.values() if isinstance(example, MapNode)
    ]
    assert len(values) >= 3
    assert [value for value in values if value not in shown] == []
    assert texts["operations.md"].count("<details") > len(specs.openapi.operations) / 2


def test_the_pages_need_nothing_from_elsewhere(texts: dict[str, str]) -> None:
    for text in texts.values():
        assert "<script" not in text
        assert set(re.findall(r"https?://[^\s\"<)]+", text)) <= {"http://www.w3.org/2000/svg"}


def test_the_diagrams_show_every_state_and_stay_inside_their_frame(
    texts: dict[str, str], specs: SpecSet
) -> None:
    diagrams = re.findall(r"<svg.*?</svg>", texts["states.md"], re.DOTALL)
    assert len(diagrams) == len(specs.states)
    for text, machine in zip(diagrams, specs.states.values(), strict=True):
        assert "\n\n" not in text
        svg = ET.fromstring(text)
        space = "{http://www.w3.org/2000/svg}"
        assert {node.text for node in svg.iter(f"{space}text")} == set(machine.state_names)
        width, height = map(float, svg.attrib["viewBox"].split()[2:])
        for box in svg.iter(f"{space}rect"):
            right = float(box.attrib["x"]) + float(box.attrib["width"])
            bottom = float(box.attrib["y"]) + float(box.attrib["height"])
            assert 0 <= float(box.attrib["x"]) < right <= width
            assert 0 <= float(box.attrib["y"]) < bottom <= height
        told = " ".join(node.text or "" for node in svg.iter(f"{space}title"))
        assert [each.cause for each in machine.transitions if each.cause not in told] == []


def test_the_operation_table_names_every_answer(texts: dict[str, str], specs: SpecSet) -> None:
    for machine in specs.states.values():
        for operation, row in machine.operations.items():
            line = next(
                each
                for each in texts["states.md"].splitlines()
                if each.startswith(f"| [{operation}]") and each.count(" | ") == len(row)
            )
            statuses = [int(number) for number in re.findall(r"\b(\d{3})\b", line)]
            assert statuses == [outcome.status for outcome in row.values()]
