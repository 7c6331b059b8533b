"""The asynchronous client: the source that the blocking one is generated from (`make generate`)."""

from __future__ import annotations
