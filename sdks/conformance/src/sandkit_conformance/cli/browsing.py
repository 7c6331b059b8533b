"""`list`, `explain` and `schema`: what the suite knows, without any server."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator

import click
import yaml
from rich.table import Table
from rich.text import Text

from sandkit_conformance.catalogue import Catalogue, Requirement, load_catalogue
from sandkit_conformance.cli.by_hand import by_hand
from sandkit_conformance.cli.screen import PLAIN_WIDTH, console
from sandkit_conformance.contract import Contract
from sandkit_conformance.failures import SuiteError
from sandkit_conformance.profile import DEFAULT_PROFILE, PROFILES, select_requirements
from sandkit_conformance.scenario.loader import shipped_suite
from sandkit_conformance.scenario.model import Scenario, Step, Suite
from sandkit_conformance.scenario.schema import load_schema


@click.command("list")
@click.option("--profile", type=click.Choice(list(PROFILES)), default=DEFAULT_PROFILE, show_default=True)
@click.option(
    "--req", "patterns", multiple=True, metavar="PATTERN", help="Only these, e.g. 'VOL-*'. May be repeated."
)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def list_(profile: str, patterns: tuple[str, ...], as_json: bool) -> None:
    """List requirements, and how many checks each has."""
    catalogue = load_catalogue()
    suite = shipped_suite()
    requirements = select_requirements(catalogue, PROFILES[profile], patterns)
    if as_json:
        entries = [
            {
                "id": one.id,
                "level": one.level,
                "authority": one.authority,
                "capability": one.capability,
                "checks": len(list(_checks(suite, one.id))),
                "text": one.text,
            }
            for one in requirements
        ]
        click.echo(json.dumps(entries, indent=1, ensure_ascii=False))
        return
    table = Table(header_style="bold", pad_edge=False)
    for column in ("id", "level", "authority", "checks", "promise"):
        table.add_column(column, overflow="fold")
    for one in requirements:
        count = len(list(_checks(suite, one.id)))
        shown = str(count) if count else one.checked_elsewhere or "none"
        table.add_row(one.id, one.level, one.authority, shown, Text(one.text))
    console().print(table)


def _checks(suite: Suite, requirement: str) -> Iterator[tuple[Scenario | None, Step | None]]:
    for standing in suite.standing:
        if standing.check == requirement:
            yield None, None
    for scenario in suite.scenarios:
        for step in scenario.checks():
            if step.check == requirement:
                yield scenario, step


@click.command()
@click.argument("requirement")
def explain(requirement: str) -> None:
    """Explain one requirement: the promise, its source, how it is checked, and how to look by hand."""
    catalogue = load_catalogue()
    found = catalogue.requirements.get(requirement.upper())
    if found is None:
        near = difflib.get_close_matches(requirement.upper(), catalogue.requirements, n=3)
        hint = f"; did you mean {', '.join(near)}?" if near else "; `sandkit-conformance list` prints them"
        raise SuiteError(f"there is no requirement {requirement}{hint}")
    for line in _explanation(found, catalogue, shipped_suite()):
        click.echo(line)


def _explanation(found: Requirement, catalogue: Catalogue, suite: Suite) -> Iterator[str]:
    yield click.style(f"{found.id}  {found.level}, {found.authority}", bold=True)
    yield found.text
    for label, text in (
        ("why", found.rationale),
        ("source", found.source),
        ("notes", found.notes),
        ("operations", ", ".join(found.operations)),
        ("capability", found.capability or "every server"),
        ("observed by", ", ".join(["the API", *(f"probe {one}" for one in found.probe)])),
        ("steered by", ", ".join(f"control {one}" for one in found.control)),
        ("checked", f"with the {found.checked_elsewhere} runtime" if found.checked_elsewhere else ""),
    ):
        if text:
            yield f"  {label + ':':<12} {text}"
    yield "  by hand:     set BASE (without /v1), SANDKIT_API_KEY and, for the side ports, PROBE and CONTROL"
    for standing in suite.standing:
        if standing.check == found.id:
            yield f"\nA standing check over every exchange ({standing.invariant}): {standing.says}"
    for scenario in suite.scenarios:
        if any(step.check == found.id for step in scenario.checks()):
            yield from _told(scenario, found.id, Contract(catalogue.openapi))


def _told(scenario: Scenario, requirement: str, contract: Contract) -> Iterator[str]:
    yield ""
    yield click.style(f"{scenario.name}  ({scenario.position})", bold=True)
    yield f"  {scenario.title}"
    for step in scenario.all_steps():
        sign = f"[{requirement}]" if step.check == requirement else f"[{step.check}]" if step.check else ""
        yield f"  {step.number:>6}  {step.title}  {sign}".rstrip()
        command = by_hand(step, contract)
        if command:
            yield f"          {command}"
        if step.check == requirement:
            yield from (f"          {line}" for line in _expected(step))


def _expected(step: Step) -> Iterator[str]:
    expected = {key: step.body[key] for key in ("expect", "is") if key in step.body}
    text = (
        yaml.safe_dump(expected, sort_keys=False, allow_unicode=True, width=PLAIN_WIDTH) if expected else ""
    )
    yield from text.splitlines()


@click.command()
@click.argument(
    "name",
    type=click.Choice(["scenario", "target", "baseline", "report", "driver"]),
    default="scenario",
)
def schema(name: str) -> None:
    """Print one of the suite's JSON Schemas (scenario by default)."""
    click.echo(json.dumps(load_schema(name), indent=2, ensure_ascii=False))
