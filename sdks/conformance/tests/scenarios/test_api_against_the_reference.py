"""The scenarios about the API against the reference server: as it is, and without its optional parts."""

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

ALL: Final = frozenset(
    {"pause", "pause.rootfs", "snapshots", "pools", "idempotency", "diagnostics"}
    | {"volumes.pvc", "volumes.pvc.owner-references", "volumes.host", "volumes.ossfs"}
)
DAY: Final = 86_400
HOST_PREFIX: Final = "/srv/shared"
# What a target without these parts must answer, and what only a target with limits can be asked.
OF_LACKING_SNAPSHOTS, OF_LACKING_POOLS = "API-129", "API-141"
OF_LIMITS: Final = {"API-39", "API-62", "API-157"}


def replay(
    server: EmbeddedServer,
    *,
    witnesses: bool = True,
    limits: bool = False,
    lacks: frozenset[str] = frozenset(),
) -> RunResult:
    """Every promise of the API once, against this server."""
    catalogue = load_catalogue()
    choices = {**DEFAULT_CHOICES, **({"maxLifetime": DAY, "hostPathPrefix": HOST_PREFIX} if limits else {})}
    target = Target(
        root=server.base_url.removesuffix("/v1"),
        name="reference",
        api_key=server.api_key,
        probe=PortAddress(server.probe_url or "", server.probe_key) if witnesses else None,
        control=PortAddress(server.control_url or "", server.control_key) if witnesses else None,
        capabilities=ALL - lacks,
        choices=choices,
    )
    options = RunOptions(profile=PROFILES["full"], patterns=("API-*",), gate="all", seed=1)
    return anyio.run(Run(target, catalogue, shipped_suite(), options).execute)


def named(result: RunResult, verdict: Verdict) -> set[str]:
    return {one.requirement.id for one in result.requirements if one.verdict is verdict}


def explained(result: RunResult) -> dict[str, str]:
    good = {Verdict.PASS, Verdict.NOT_APPLICABLE}
    return {one.requirement.id: str(one.reason) for one in result.requirements if one.verdict not in good}


@pytest.mark.slow
def test_the_reference_keeps_every_promise_of_the_api() -> None:
    with EmbeddedServer(max_lifetime=DAY, allowed_host_prefixes=(HOST_PREFIX,)) as server:
        result = replay(server, limits=True)
    assert result.exit_code == ExitCode.GOOD, explained(result)
    assert named(result, Verdict.NOT_APPLICABLE) == {OF_LACKING_SNAPSHOTS, OF_LACKING_POOLS}
    assert not result.leaks.leaked


@pytest.mark.slow
def test_a_server_without_snapshots_and_pools_is_held_to_saying_so() -> None:
    with EmbeddedServer(without=("snapshots", "pools")) as server:
        result = replay(server, lacks=frozenset({"snapshots", "pools"}))
    assert result.exit_code == ExitCode.GOOD, explained(result)
    assert {OF_LACKING_SNAPSHOTS, OF_LACKING_POOLS} <= named(result, Verdict.PASS)
    about_parts = {
        name
        for name, one in load_catalogue().requirements.items()
        if one.area == "API" and one.capability in {"snapshots", "pools"}
    }
    # Those about snapshots by key need both parts.
    assert named(result, Verdict.NOT_APPLICABLE) == about_parts | OF_LIMITS | {"API-72", "API-73"}


@pytest.mark.slow
def test_without_probe_and_control_nothing_is_called_broken() -> None:
    with EmbeddedServer() as server:
        result = replay(server, witnesses=False)
    assert not named(result, Verdict.FAIL), explained(result)
    assert not named(result, Verdict.HARNESS_ERROR), explained(result)
    assert {"API-26", "API-68", "API-75", "API-113"} & named(result, Verdict.UNOBSERVABLE) == {"API-68"}
