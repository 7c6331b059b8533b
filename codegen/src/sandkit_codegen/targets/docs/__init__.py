"""Target `docs`: the reference pages operations, states, errors and requirements."""

from __future__ import annotations

from sandkit_codegen.targets.docs.target import render_docs

__all__ = ["render_docs"]
