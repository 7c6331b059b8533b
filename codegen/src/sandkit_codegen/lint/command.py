"""`python -m sandkit_codegen lint`: checks the specs and says where and how to mend them."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from sandkit_codegen.lint.check import lint_specs
from sandkit_codegen.lint.registry import RULES
from sandkit_codegen.load import Finding


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the findings; 0 when there are none, 1 when there are some, 2 for a wrong command line."""
    options = _parser().parse_args(arguments)
    if options.rules:
        width = max(len(rule.id) for rule in RULES)
        _print("\n".join(f"{rule.id:<{width}}  {rule.summary}" for rule in RULES))
        return 0
    findings = lint_specs(options.root)
    _print(_as_json(findings) if options.format == "json" else _as_text(findings, options.root))
    return 1 if findings else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sandkit-codegen lint", description=__doc__)
    parser.add_argument("root", nargs="?", type=Path, default=Path("specs"), help="folder (default: specs)")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="(default: text)")
    parser.add_argument("--rules", action="store_true", help="list the rules and stop")
    return parser


def _as_text(findings: list[Finding], root: Path) -> str:
    if not findings:
        return f"{root.as_posix()}: {len(RULES)} rules, no findings"
    count = "1 finding" if len(findings) == 1 else f"{len(findings)} findings"
    return "\n".join([*(str(finding) for finding in findings), count])


def _as_json(findings: list[Finding]) -> str:
    rows = [
        {
            **dataclasses.asdict(finding.position),
            "rule": finding.rule,
            "what": finding.what,
            "remedy": finding.remedy,
        }
        for finding in findings
    ]
    return json.dumps({"findings": rows}, indent=2, ensure_ascii=False)


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
