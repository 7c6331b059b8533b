"""Reference server of the sandbox lifecycle API."""

from __future__ import annotations
