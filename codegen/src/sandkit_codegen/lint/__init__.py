"""Checks the specs against each other and against what the generators can take.

`lint_specs(root)` returns positioned findings, each with its remedy. A rule is a pure function from the
loaded specs to the places that break it; one module for each theme, all of them listed in `registry`.
"""

from __future__ import annotations

from sandkit_codegen.lint.check import lint_specs
from sandkit_codegen.lint.rule import Defect, Rule, rule

__all__ = ["Defect", "Rule", "lint_specs", "rule"]
