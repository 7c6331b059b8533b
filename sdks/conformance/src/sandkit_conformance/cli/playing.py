"""What `run` does: the scenarios are played, and what came of it is shown and written."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import anyio
import click
from rich.console import Console

from sandkit_conformance.baseline import Baseline, load_baseline
from sandkit_conformance.catalogue import load_catalogue
from sandkit_conformance.cli.screen import console
from sandkit_conformance.engine.options import RunOptions
from sandkit_conformance.engine.run import Listener, Run
from sandkit_conformance.profile import PROFILES
from sandkit_conformance.reports.console import mark, print_report
from sandkit_conformance.reports.document import report_document
from sandkit_conformance.reports.writing import report_folder, write_reports
from sandkit_conformance.scenario.loader import load_suite
from sandkit_conformance.target import Target
from sandkit_conformance.verdict import CheckResult

_OBJECTS_BETWEEN_COLLECTIONS: Final = 1_000_000


@contextmanager
def _rare_collections() -> Iterator[None]:
    """A run keeps all it has seen until the report is written: looking for garbage among it finds none."""
    usual = gc.get_threshold()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


@_rare_collections()
def play(target: Target, options: Mapping[str, Any], command: str) -> int:
    """Play the scenarios that the options of `run` select against a target; the exit code.

    `command` is what the report says to run again.
    """
    catalogue = load_catalogue()
    suite = load_suite(options["scenario_dir"])
    baseline = load_baseline(options["baseline_file"], catalogue) if options["baseline_file"] else Baseline()
    run_options = RunOptions(
        profile=PROFILES[options["profile"]],
        patterns=options["patterns"],
        gate=options["gate"],
        seed=options["seed"],
        concurrency=options["concurrency"],
        report_dir=options["report_dir"],
        baseline=baseline,
        driver=options["driver"],
        command=command,
    )
    report_folder(options["report_dir"])
    out = console()
    listener = _json_listener if options["json_events"] else _progress(out)
    result = anyio.run(Run(target, catalogue, suite, run_options, listener).execute)
    document = report_document(result)
    if not options["json_events"]:
        print_report(document, out)
    if options["report_dir"]:
        for path in write_reports(document, result, options["report_dir"]):
            click.echo(path, err=options["json_events"])
    return int(result.exit_code)


def _json_listener(check: CheckResult) -> None:
    fields = {"requirement": check.requirement, "scenario": check.scenario, "step": check.step}
    click.echo(json.dumps({**fields, "verdict": check.verdict, "reasons": check.reasons}, ensure_ascii=False))


def _progress(out: Console) -> Listener | None:
    """One sign per check as it falls, so that a person sees the run move; a log has no use for them."""

    def show(check: CheckResult) -> None:
        out.print(mark(check.verdict), end="", soft_wrap=True)

    return show if out.is_terminal else None
