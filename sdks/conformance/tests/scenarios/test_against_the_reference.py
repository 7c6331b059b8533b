"""The scenarios against the reference server, in each way it can pause."""

from __future__ import annotations

from typing import Final

import anyio
import pytest

from sandkit_conformance.catalogue import load_catalogue
from sandkit_conformance.engine.options import RunOptions
from sandkit_conformance.engine.result import RunResult
from sandkit_conformance.engine.run import Run
from sandkit_conformance.profile import PROFILES
from sandkit_conformance.scenario.loader import shipped_suite
from sandkit_conformance.target import DEFAULT_CHOICES, PortAddress, Target
from sandkit_conformance.verdict import ExitCode, Verdict
from sandkit_server.testing import EmbeddedServer

PATTERNS: Final = ("PAU-*", "RES-*", "TTL-*", "DEL-*", "VOL-*", "FLT-*")
ALL: Final = frozenset(
    {"pause", "pause.rootfs", "snapshots", "pools", "idempotency", "diagnostics"}
    | {"volumes.pvc", "volumes.pvc.owner-references", "volumes.host", "volumes.ossfs"}
)
# Promises that only a pause by root filesystem snapshot can keep or break.
OF_SNAPSHOTS: Final = frozenset(
    {"PAU-14", "RES-10", "RES-11", "RES-13"}
    | {f"FLT-{number}" for number in ("02", "04", "05", "06", "07", "08", "11", "13")}
)
# Promises of targets that lack something: the ability to pause, a registry.
OF_WHAT_IS_MISSING: Final = frozenset({"PAU-10", "FLT-01"})
# Promises of targets whose pauses are carried out by a controller of their own, in a cluster.
OF_A_CONTROLLER: Final = frozenset({"FLT-03", "FLT-09", "FLT-12", "FLT-15"})


def replay(
    pause_mode: str,
    capabilities: frozenset[str],
    *,
    without: tuple[str, ...] = (),
    patterns: tuple[str, ...] = PATTERNS,
) -> RunResult:
    """These promises once, against a new server that pauses this way and lacks what it is to be `without`."""
    catalogue = load_catalogue()
    options = RunOptions(profile=PROFILES["full"], patterns=patterns, gate="all", seed=1)
    lacking = dict.fromkeys(without, "none")
    with EmbeddedServer(pause_mode=pause_mode, without=without) as server:
        assert server.probe_url
        assert server.control_url
        target = Target(
            root=server.base_url.removesuffix("/v1"),
            name=f"reference, pausing by {pause_mode}",
            api_key=server.api_key,
            probe=PortAddress(server.probe_url, server.probe_key),
            control=PortAddress(server.control_url, server.control_key),
            capabilities=capabilities,
            choices={**DEFAULT_CHOICES, "endpoints": "proxied", "pauseMode": pause_mode, **lacking},
        )
        return anyio.run(Run(target, catalogue, shipped_suite(), options).execute)


def verdicts(result: RunResult, verdict: Verdict) -> set[str]:
    return {one.requirement.id for one in result.requirements if one.verdict is verdict}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pause_mode", "capabilities", "not_applicable"),
    [
        ("rootfs", ALL, OF_WHAT_IS_MISSING | OF_A_CONTROLLER),
        ("freeze", ALL - {"pause.rootfs"}, OF_WHAT_IS_MISSING | OF_SNAPSHOTS | OF_A_CONTROLLER),
    ],
)
def test_a_server_that_pauses_keeps_every_promise(
    pause_mode: str, capabilities: frozenset[str], not_applicable: frozenset[str]
) -> None:
    result = replay(pause_mode, capabilities)
    wrong = {one.requirement.id: one.reason for one in result.requirements if one.reason}
    assert result.exit_code == ExitCode.GOOD, wrong
    assert verdicts(result, Verdict.NOT_APPLICABLE) == not_applicable
    assert not result.leaks.leaked


@pytest.mark.slow
def test_a_server_that_cannot_pause_is_held_to_its_refusal_and_to_nothing_else_about_pausing() -> None:
    result = replay("none", ALL - {"pause", "pause.rootfs"})
    passed = verdicts(result, Verdict.PASS)
    assert result.exit_code == ExitCode.GOOD, {one.requirement.id: one.reason for one in result.requirements}
    assert "PAU-10" in passed
    assert {name for name in passed if name.startswith(("PAU", "RES", "FLT"))} == {"PAU-10"}
    assert {"TTL-03", "TTL-04", "DEL-03", "VOL-02"} <= passed


def test_a_server_without_a_registry_lets_no_sandbox_suffer_from_it() -> None:
    result = replay("rootfs", ALL, without=("registry",), patterns=("FLT-01",))
    assert result.exit_code == ExitCode.GOOD
    assert verdicts(result, Verdict.PASS) == {"FLT-01"}
