"""Preflight: is there a server of this API behind the address, and does it take the key?"""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Final

from sandkit_conformance.control.http import connect_control
from sandkit_conformance.drivers.port import API_KEY_HEADER, Call, Driver, Exchange
from sandkit_conformance.drivers.raw_http import RawHttpDriver
from sandkit_conformance.drivers.side_port import SidePort
from sandkit_conformance.engine.context import RunContext
from sandkit_conformance.failures import SuiteError
from sandkit_conformance.probes.opening import keys_of, open_probe
from sandkit_conformance.target import Target

_LIST: Final = "/v1/sandboxes"


async def check_server(driver: Driver, target: Target) -> str:
    """Ask for the version and for a page of sandboxes; the server's version.

    Raises:
        SuiteError: nobody there, not this API, or the key is refused.
    """
    version = await _ask(driver, target, f"{target.service_base}/version", with_key=False)
    listed = await _ask(driver, target, _LIST, with_key=True)
    if listed.status in {401, 403}:
        key = (
            "the key is refused" if target.api_key else "it wants a key; name its variable with --api-key-env"
        )
        raise SuiteError(f"{listed.url} answered {listed.outcome()}: {key}")
    body = listed.json
    if listed.status != 200 or not isinstance(body, dict) or not isinstance(body.get("items"), list):
        raise SuiteError(
            f"{listed.url} is no list of sandboxes: {_described(listed)}; is the base URL right?"
        )
    answer = version.json
    return str(answer.get("version", "unknown")) if isinstance(answer, dict) else "unknown"


async def _ask(driver: Driver, target: Target, path: str, *, with_key: bool) -> Exchange:
    headers = ((API_KEY_HEADER, target.api_key),) if with_key and target.api_key else ()
    query = (("pageSize", "1"),) if path == _LIST else ()
    exchange = await driver.perform(
        Call(method="GET", path=path, timeout=target.seconds("request"), headers=headers, query=query)
    )
    if exchange.failure:
        raise SuiteError(f"{exchange.url}: {exchange.failure.message}")
    if exchange.status is not None and 300 <= exchange.status < 400:
        where = exchange.header_map.get("location", "nowhere")
        raise SuiteError(f"{exchange.url} redirects to {where}; give that address as base URL")
    return exchange


def _described(exchange: Exchange) -> str:
    kind = exchange.header_map.get("content-type", "no content type")
    return f"{exchange.outcome()}, {kind}, beginning with {exchange.text[:60]!r}"


async def connect_side_ports(run: RunContext, opened: AsyncExitStack) -> None:
    """Connect probe and control where the target has them; `opened` closes them again.

    Raises:
        SuiteError: a port that is named does not work.
    """
    target = run.target
    run.redactor.learn_keys([target.api_key])
    if target.probe:
        run.redactor.learn_keys(keys_of(target.probe))
        run.probe = await opened.enter_async_context(open_probe(target.probe))
    if target.control:
        driver = RawHttpDriver(target.control.url)
        opened.push_async_callback(driver.aclose)
        run.redactor.learn_keys([target.control.key])
        run.control = await connect_control(SidePort("control", driver, target.control.key))
