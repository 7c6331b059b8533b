"""`mutants`: tries the suite itself on servers with a known defect."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from sandkit_conformance.catalogue import load_catalogue
from sandkit_conformance.cli.browsing import console
from sandkit_conformance.mutants.campaign import (
    campaign_document,
    choose,
    run_campaign,
    scores,
    unproved,
)
from sandkit_conformance.mutants.listing import read_listing
from sandkit_conformance.mutants.trial import Scope, Trial
from sandkit_conformance.scenario.loader import load_suite
from sandkit_conformance.verdict import ExitCode


@click.command()
@click.option(
    "--server",
    "server",
    required=True,
    metavar="COMMAND",
    help="Lists and serves the mutants, e.g. 'python -m sandkit_server.testing.mutants'.",
)
@click.option("--only", "patterns", multiple=True, metavar="GLOB", help="Ids or requirements.")
@click.option(
    "--scope",
    type=click.Choice([str(one) for one in Scope]),
    default=str(Scope.NEAR),
    show_default=True,
    help="Play what is near the broken requirement, its area, or the whole suite, against each mutant.",
)
@click.option(
    "--jobs", type=click.IntRange(1, 64), help="Mutants tried at the same time [default: two per processor]."
)
@click.option("--json", "json_path", type=click.Path(path_type=Path, dir_okay=False), help="Report to write.")
def mutants(
    server: str, patterns: tuple[str, ...], scope: str, jobs: int | None, json_path: Path | None
) -> int:
    """Try the suite on deliberately broken servers: each must make exactly the intended requirement red."""
    catalogue = load_catalogue()
    command = tuple(shlex.split(server))
    entries = choose(read_listing(command, catalogue), patterns)
    out = console()
    trials = run_campaign(
        command,
        entries,
        scope=Scope(scope),
        jobs=jobs or 2 * (os.cpu_count() or 1),
        listener=lambda trial: out.print("." if trial.fate.good else "[red]x[/red]", end=""),
    )
    out.print()
    covered = load_suite(catalogue).checked_requirements()
    checked = tuple(name for name in catalogue.requirements if name in covered)
    _print(trials, () if patterns else unproved(trials, checked), out)
    if json_path:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(json.dumps(campaign_document(trials, checked), indent=2) + "\n", "utf-8")
        click.echo(json_path)
    return int(ExitCode.GOOD if all(trial.fate.good for trial in trials) else ExitCode.FAILURES)


def _print(trials: tuple[Trial, ...], missing: tuple[str, ...], out: Console) -> None:
    table = Table("mutant", "requirement", "verdict", "seconds", "blocked", box=None, pad_edge=False)
    for trial in trials:
        style = "green" if trial.fate.good else "red"
        table.add_row(
            trial.entry.id,
            trial.entry.requirement or str(trial.entry.kind),
            f"[{style}]{trial.fate}[/{style}]",
            f"{trial.seconds:.1f}",
            " ".join(trial.blocked),
        )
    out.print(table)
    for trial in trials:
        if not trial.fate.good:
            out.print(f"\n[bold]{trial.entry.id}[/bold] {trial.fate}: {trial.entry.defect}", highlight=False)
            accused = "\n".join(f"{name}: {reason}" for name, reason in trial.accused.items())
            out.print(trial.note or accused or "  nothing was found", markup=False, highlight=False)
    areas = scores(trials, lambda entry: entry.area)
    out.print("\n" + " · ".join(f"{one.name} {one.killed}/{one.mutants}" for one in areas))
    if missing:
        out.print(f"without a mutant that was killed: {', '.join(missing)}", highlight=False)
    killed, all_ = sum(one.killed for one in areas), sum(one.mutants for one in areas)
    others = [trial for trial in trials if trial.entry.requirement is None]
    green = sum(trial.fate.good for trial in others)
    named = scores(trials, lambda entry: entry.requirement or "")
    proved = sum(one.killed == one.mutants for one in named)
    out.print(
        f"{killed} of {all_} mutants killed as intended · {proved} of {len(named)} requirements proved · "
        f"{green} of {len(others)} sound servers green"
    )
