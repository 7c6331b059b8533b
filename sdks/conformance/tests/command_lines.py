"""A scenario file of two checks, and the command that plays it."""

from __future__ import annotations

from pathlib import Path

from sandkit_conformance.cli import run_command_line

from .tiny_server import Handler, Server

SCENARIO = """
version: 1
area: PAU
standing:
  - {check: API-01, invariant: envelope, says: Every error is an envelope}
scenarios:
  - id: second-pause
    title: A second pause is refused
    steps:
      - {call: createSandbox, as: sandbox}
      - {call: pauseSandbox, for: "${sandbox.id}", expect: {status: 202}, check: PAU-01}
      - call: pauseSandbox
        for: ${sandbox.id}
        expect: {table: pauseSandbox/Paused}
        check: PAU-07
        says: A second pause is refused
"""
REQUIREMENTS = ("--req", "PAU-01", "--req", "PAU-07", "--req", "API-01")


def run(server: Server, scenarios: Path, *more: str, req: tuple[str, ...] = REQUIREMENTS) -> int:
    arguments = ["run", "--base-url", server.url, "--api-key-env", "TEST_KEY", "--scenarios", str(scenarios)]
    return run_command_line([*arguments, "--seed", "1", *req, *more])


def accept_everything(handler: Handler) -> bool:
    if handler.route.path.endswith("/pause"):
        handler.reply(202)
        return True
    return False
