"""Python modules with the tables every Python target needs: errors, states, known values of open sets."""

from __future__ import annotations

from sandkit_codegen.tables.render import render_tables

__all__ = ["render_tables"]
