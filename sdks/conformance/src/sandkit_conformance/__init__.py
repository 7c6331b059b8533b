"""Conformance suite for servers of the sandbox lifecycle API."""

from __future__ import annotations
