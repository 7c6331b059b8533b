#!/usr/bin/python3 -IS
"""An OCI runtime for dockerd: runc, asked for no more than this machine can give.

Where the capability bounding set lacks CAP_SYS_RESOURCE (inside many virtual machines and containers), runc
refuses to start a container that asks for all capabilities, and cannot lower an OOM score. This takes both
out of the request and executes runc. It never asks for more than the caller did.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

RUNC = "/usr/sbin/runc"
SYS_RESOURCE = 24  # its bit in a capability mask, capabilities(7)


def _lacks_sys_resource() -> bool:
    status = Path("/proc/self/status").read_text("ascii", "replace")
    mask = next(line.split()[1] for line in status.splitlines() if line.startswith("CapBnd:"))
    return not int(mask, 16) >> SYS_RESOURCE & 1


def _option(arguments: list[str], *names: str) -> str | None:
    """The value of an option, written `--name value` or `--name=value`."""
    for index, argument in enumerate(arguments):
        for name in names:
            if argument == name and index + 1 < len(arguments):
                return arguments[index + 1]
            if argument.startswith(f"{name}="):
                return argument.partition("=")[2]
    return None


def _request_file(arguments: list[str]) -> Path | None:
    """Where runc reads what it shall start; None for commands that start nothing."""
    if "exec" in arguments:
        process = _option(arguments, "--process", "-p")
        return Path(process) if process else None
    if "create" in arguments or "run" in arguments:
        return Path(_option(arguments, "--bundle", "-b") or ".") / "config.json"
    return None


def _bounded(process: dict[str, object], own_score: int) -> dict[str, object]:
    """The process of a request without the capability, and with no better OOM score than this process has."""
    capabilities = process.get("capabilities")
    if isinstance(capabilities, dict):
        process["capabilities"] = {
            name: [one for one in granted or [] if one != "CAP_SYS_RESOURCE"]
            for name, granted in capabilities.items()
        }
    score = process.get("oomScoreAdj")
    if isinstance(score, int) and score < own_score:
        process["oomScoreAdj"] = own_score
    return process


def _bound(path: Path) -> None:
    request = json.loads(path.read_text("utf-8"))
    own_score = int(Path("/proc/self/oom_score_adj").read_text("ascii"))
    if isinstance(request.get("process"), dict):
        request["process"] = _bounded(request["process"], own_score)
    else:
        request = _bounded(request, own_score)
    path.write_text(json.dumps(request), "utf-8")


def main() -> None:
    """Mend the request, when there is one, and become runc."""
    path = _request_file(sys.argv[1:])
    if path and path.is_file() and _lacks_sys_resource():
        _bound(path)
    os.execv(RUNC, [RUNC, *sys.argv[1:]])  # noqa: S606 - no shell


if __name__ == "__main__":
    main()
