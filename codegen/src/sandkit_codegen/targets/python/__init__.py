"""Target `python`: attrs models and sans-IO operations of the SDK."""

from __future__ import annotations

from sandkit_codegen.targets.python.target import render_python

__all__ = ["render_python"]
