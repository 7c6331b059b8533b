"""Scenarios: the file format, its loader, its expressions and its matchers."""
