"""Engines sandboxes run on; one package each, never importing one another."""

from __future__ import annotations
