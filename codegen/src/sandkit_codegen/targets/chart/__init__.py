"""Target `chart`: the definitions of our kinds, as files that the Helm chart installs."""

from __future__ import annotations

from sandkit_codegen.targets.chart.target import render_chart

__all__ = ["render_chart"]
