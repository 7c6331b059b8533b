"""`mutants`: tries the suite itself on servers and proxies with a known defect."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.table import Table

from sandkit_conformance.catalogue import Catalogue, load_catalogue
from sandkit_conformance.cli.running import load_from, target_options
from sandkit_conformance.cli.screen import console
from sandkit_conformance.mutants.campaign import Attempt, Command, choose, run_campaign
from sandkit_conformance.mutants.listing import MutantEntry, read_listing
from sandkit_conformance.mutants.proxy.catalogue import PROXIES
from sandkit_conformance.mutants.score import (
    Score,
    by_area,
    by_probe,
    by_requirement,
    campaign_document,
    checked_elsewhere,
    scores,
    unproved,
)
from sandkit_conformance.mutants.trial import Fate, Manner, Scope, Trial, try_proxy
from sandkit_conformance.scenario.loader import shipped_suite
from sandkit_conformance.verdict import ExitCode

# Most of a trial is waiting: for what a broken server never does, or does late.
_JOBS_PER_CORE: Final = 4


@click.command()
@click.option(
    "--server",
    "server",
    metavar="COMMAND",
    help="Lists and serves the mutants, e.g. 'python -m sandkit_server.testing.mutants'.",
)
@click.option(
    "--proxy", is_flag=True, help="Only the faulty proxies: in front of --server, or of --base-url."
)
@target_options
@click.option("--only", "patterns", multiple=True, metavar="GLOB", help="Ids or requirements.")
@click.option(
    "--scope",
    type=click.Choice([str(one) for one in Scope]),
    default=str(Scope.NEAR),
    show_default=True,
    help="Play what is near the broken requirement, its area, or the whole suite, against each mutant.",
)
@click.option(
    "--jobs", type=click.IntRange(1, 64), help="Mutants tried at the same time [default: four per processor]."
)
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Play against every sound server so often, each time with another seed.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="The first seed, to repeat a trial.",
)
@click.option("--json", "json_path", type=click.Path(path_type=Path, dir_okay=False), help="Report to write.")
def mutants(server: str | None, json_path: Path | None, **options: Any) -> int:
    """Try the suite on deliberately broken servers: each must make exactly the intended requirement red.

    With --server the mutants that command lists are tried, and the suite's own faulty proxies in front of its
    control; with --proxy and --base-url the proxies in front of a running server.
    """
    catalogue = load_catalogue()
    out = console()

    def listener(trial: Trial) -> None:
        # A campaign may take an hour; what went wrong is told when it does.
        if trial.fate.good:
            out.print(".", end="")
        else:
            _explain(trial, out)

    trials = _of_server(server, options, listener) if server else _of_target(options, listener)
    out.print()
    covered = shipped_suite().checked_requirements()
    # What only targets of another kind can show no mutant of this campaign can be killed by.
    elsewhere = checked_elsewhere(catalogue)
    checked = tuple(name for name in catalogue.requirements if name in covered and name not in elsewhere)
    whole = bool(server) and not options["patterns"] and not options["proxy"]
    _print(trials, checked if whole else (), catalogue, out)
    if json_path:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        document = campaign_document(trials, checked, catalogue)
        json_path.write_text(json.dumps(document, indent=2) + "\n", "utf-8")
        click.echo(json_path)
    return int(ExitCode.GOOD if all(trial.fate.good for trial in trials) else ExitCode.FAILURES)


def _proxies() -> tuple[MutantEntry, ...]:
    return tuple(proxy.entry for proxy in PROXIES.values())


def _of_server(server: str, options: dict[str, Any], listener: Callable[[Trial], None]) -> tuple[Trial, ...]:
    words = tuple(shlex.split(server))
    listing = read_listing(words, load_catalogue())
    entries = choose((*(() if options["proxy"] else listing.entries), *_proxies()), options["patterns"])
    scope, first = Scope(options["scope"]), options["seed"]
    return run_campaign(
        Command(words, listing.hosts),
        [
            Attempt(entry, Manner(scope, seed))
            for entry in entries
            for seed in range(first, first + (1 if entry.kind.broken else options["seeds"]))
        ],
        jobs=options["jobs"] or _JOBS_PER_CORE * (os.cpu_count() or 1),
        listener=listener,
    )


def _of_target(options: dict[str, Any], listener: Callable[[Trial], None]) -> tuple[Trial, ...]:
    if not options["proxy"]:
        raise click.UsageError("give --server, or --proxy with the server to put the proxies in front of")
    target = load_from(options["target_file"], options)
    manner = Manner(Scope(options["scope"]), options["seed"], shared=True)
    trials = []
    # One after the other: they share the server, its clock and its faults.
    for entry in choose(_proxies(), options["patterns"]):
        trials.append(try_proxy(target, entry, manner))
        listener(trials[-1])
    return tuple(trials)


def _explain(trial: Trial, out: Console) -> None:
    name = f"[bold]{trial.entry.id}[/bold] (seed {trial.seed})"
    out.print(f"\n{name} [red]{trial.fate}[/red]: {trial.entry.defect}", highlight=False)
    accused = "\n".join(f"{name}: {reason}" for name, reason in trial.accused.items())
    out.print(trial.note or accused or "nothing was found", markup=False, highlight=False)


def _print(trials: tuple[Trial, ...], checked: tuple[str, ...], catalogue: Catalogue, out: Console) -> None:
    """Print every trial, what is wrong, and the score; `checked` is empty where only a part was tried."""
    out.print(_table(trials))
    for trial in trials:
        if not trial.fate.good:
            _explain(trial, out)
    out.print()
    for title, by in (("by area", by_area), ("by probe", by_probe)):
        found = scores(trials, catalogue, by)
        out.print(f"{title}: " + " · ".join(_told(one) for one in found), highlight=False)
    if checked:
        missing = unproved(trials, checked)
        out.print(f"without a mutant that was killed: {', '.join(missing) or 'none'}", highlight=False)
        for name, why in checked_elsewhere(catalogue).items():
            out.print(f"not shown here: {name}, {why}", highlight=False)
    out.print(_summary(trials, catalogue), highlight=False)


def _table(trials: tuple[Trial, ...]) -> Table:
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
    return table


def _told(score: Score) -> str:
    return f"{score.name} {score.killed}/{score.mutants}"


def _summary(trials: tuple[Trial, ...], catalogue: Catalogue) -> str:
    (whole,) = scores(trials, catalogue, lambda _: "all") or (Score("all", 0, 0),)
    named = scores(trials, catalogue, by_requirement)
    proved = sum(one.killed == one.mutants for one in named)
    sound = [trial for trial in trials if trial.entry.requirement is None]
    unseen = sum(trial.fate is Fate.UNSEEN for trial in trials)
    parts = [
        f"{whole.killed} of {whole.mutants} mutants killed as intended",
        f"{whole.musts_killed} of {whole.musts} that break a MUST",
        f"{proved} of {len(named)} requirements proved",
        f"{sum(trial.fate.good for trial in sound)} of {len(sound)} sound servers green",
    ]
    return " · ".join(parts + ([f"{unseen} cannot be seen here"] if unseen else []))
