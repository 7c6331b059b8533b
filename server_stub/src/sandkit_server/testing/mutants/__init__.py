"""Deliberately broken servers, to prove that a conformance suite sees what it claims to see.

Each mutant is an ordinary server with one defect that a careless implementer would really make, and names the
requirement whose check has to find it. Serve one with ``python -m sandkit_server.testing.mutants serve ID``.
"""

from __future__ import annotations

from sandkit_server.testing.mutants.catalogue import MUTANTS, find
from sandkit_server.testing.mutants.mutant import Kind, Mutant, Substitution

__all__ = ["MUTANTS", "Kind", "Mutant", "Substitution", "find"]
