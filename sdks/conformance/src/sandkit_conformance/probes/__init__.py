"""Probes: how a target shows what its API hides."""
