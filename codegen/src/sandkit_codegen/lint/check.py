"""Runs the rules over a folder of specs."""

from __future__ import annotations

from pathlib import Path

from sandkit_codegen.lint.registry import RULES
from sandkit_codegen.load import Finding, SpecError, load_spec_set


def lint_specs(root: Path) -> list[Finding]:
    """Every finding in the specs below `root`, by file, line and column.

    Files that cannot be read, or are not of the right structure, are reported alone: whether the specs agree
    with each other can only be judged when each of them is sound.
    """
    try:
        specs = load_spec_set(root)
    except SpecError as error:
        return list(error.findings)
    return sorted({finding for rule in RULES for finding in rule.findings(specs)})
