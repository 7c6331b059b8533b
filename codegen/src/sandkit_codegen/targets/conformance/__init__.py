"""Target `conformance`: the specs as JSON, which is all the suite may know of them."""

from __future__ import annotations

from sandkit_codegen.targets.conformance.target import render_conformance

__all__ = ["render_conformance"]
