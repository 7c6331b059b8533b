"""Diagnosis: what a target is and shows, before anybody trusts a verdict about it."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final

from attrs import frozen

from sandkit_conformance.catalogue import Catalogue
from sandkit_conformance.control.http import connect_control
from sandkit_conformance.drivers.port import API_KEY_HEADER, Call
from sandkit_conformance.drivers.raw_http import RawHttpDriver
from sandkit_conformance.drivers.side_port import SidePort
from sandkit_conformance.engine.preflight import check_server
from sandkit_conformance.failures import SuiteError
from sandkit_conformance.probes.opening import open_probe
from sandkit_conformance.target import PortAddress, ProbeAddress, Target

_CAPABILITY_READS: Final = {"pools": "/v1/pools", "snapshots": "/v1/snapshots"}


@frozen
class Finding:
    """One thing found out; `good` is False when it has to be mended."""

    good: bool
    text: str


async def diagnose(target: Target, catalogue: Catalogue) -> list[Finding]:
    """Look at the server, the ports and what the target file declares."""
    driver = RawHttpDriver(target.root)
    findings: list[Finding] = []
    try:
        version = await check_server(driver, target)
        findings.append(Finding(True, f"{target.root} speaks the API; version {version}"))
        findings.extend(
            [await _declared(driver, target, name, path) for name, path in _CAPABILITY_READS.items()]
        )
    except SuiteError as error:
        findings.append(Finding(False, str(error)))
    finally:
        await driver.aclose()
    known = {requirement.capability for requirement in catalogue.requirements.values()}
    findings += [
        Finding(False, f"capability {unknown} is declared, and the catalogue knows no such capability")
        for unknown in sorted((target.capabilities or frozenset()) - known)
    ]
    probe = _probe_features(target.probe) if target.probe else None
    control = _control_features(target.control) if target.control else None
    return [*findings, await _port("probe", probe), await _port("control", control)]


async def _declared(driver: RawHttpDriver, target: Target, capability: str, path: str) -> Finding:
    headers = ((API_KEY_HEADER, target.api_key),) if target.api_key else ()
    exchange = await driver.perform(Call("GET", path, target.seconds("request"), headers=headers))
    shown = exchange.ok
    if shown == target.has(capability):
        return Finding(
            True, f"{capability}: {'declared and there' if shown else 'not declared and not there'}"
        )
    if shown:
        return Finding(True, f"{capability}: there, and not declared; its checks are left out")
    return Finding(False, f"{capability}: declared, and GET {path} answered {exchange.outcome()}")


async def _probe_features(address: ProbeAddress) -> frozenset[str]:
    async with open_probe(address) as probe:
        return probe.features


async def _control_features(address: PortAddress) -> frozenset[str]:
    driver = RawHttpDriver(address.url)
    try:
        return (await connect_control(SidePort("control", driver, address.key))).features
    finally:
        await driver.aclose()


async def _port(name: str, features: Awaitable[frozenset[str]] | None) -> Finding:
    if features is None:
        return Finding(True, f"no {name} port: what needs one will be unobservable")
    try:
        return Finding(True, f"the {name} port can do {', '.join(sorted(await features))}")
    except SuiteError as error:
        return Finding(False, str(error))
