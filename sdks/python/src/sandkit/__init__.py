"""Python SDK for the sandbox lifecycle API."""

from __future__ import annotations
