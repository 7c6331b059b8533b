"""What both clients share; it does no input or output, so it is tested without a server or a clock."""

from __future__ import annotations
