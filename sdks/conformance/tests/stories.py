"""Scenarios for tests, begun."""

from __future__ import annotations

import textwrap


def story(steps: str) -> str:
    """The steps after a sandbox was created."""
    return "steps:\n  - call: createSandbox\n    as: sandbox\n" + textwrap.indent(
        textwrap.dedent(steps), "  "
    )
