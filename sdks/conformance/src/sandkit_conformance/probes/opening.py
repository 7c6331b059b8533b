"""Opening the probe a target names: a port somebody serves, or an engine the suite looks into itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from sandkit_conformance.drivers.raw_http import RawHttpDriver
from sandkit_conformance.drivers.side_port import SidePort
from sandkit_conformance.probes.http import HttpProbe, connect_probe
from sandkit_conformance.probes.port import Probe
from sandkit_conformance.target import ClusterAddress, DockerAddress, PortAddress, ProbeAddress


@asynccontextmanager
async def open_probe(address: ProbeAddress) -> AsyncIterator[Probe]:
    """The probe behind an address, for as long as the context lasts.

    Raises:
        SuiteError: it cannot be reached, refuses who we are, or is something else.
    """
    # What speaks to an engine is imported where there is one: it brings a whole HTTP client.
    async with AsyncExitStack() as opened:
        if isinstance(address, PortAddress):
            yield await _port(address, opened)
        elif isinstance(address, DockerAddress):
            from sandkit_conformance.probes.docker.probe import connect_docker

            yield await opened.enter_async_context(connect_docker(address))
        else:
            from sandkit_conformance.probes.kubernetes.probe import connect_cluster

            agent = await _port(address.agent, opened) if address.agent else None
            yield await opened.enter_async_context(connect_cluster(address, agent))


def keys_of(address: ProbeAddress) -> list[str | None]:
    """The keys that must not be seen in a report."""
    port = address.agent if isinstance(address, ClusterAddress) else address
    return [port.key] if isinstance(port, PortAddress) else []


async def _port(address: PortAddress, opened: AsyncExitStack) -> HttpProbe:
    driver = RawHttpDriver(address.url)
    opened.push_async_callback(driver.aclose)
    return await connect_probe(SidePort("probe", driver, address.key))
