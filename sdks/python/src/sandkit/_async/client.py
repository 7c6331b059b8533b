"""The client: one pool of connections and everything that can be asked for over it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypedDict, Unpack

from sandkit._async.pools import AsyncPools
from sandkit._async.sandboxes import AsyncSandboxes
from sandkit._async.snapshots import AsyncSnapshots
from sandkit._core import config, log
from sandkit._core.creation import refuse_unknown
from sandkit._core.errors import ConfigurationError
from sandkit._core.options import RequestOptions
from sandkit._generated import models
from sandkit._generated.operations import get_health, get_version
from sandkit._io_async import AsyncClock, AsyncSystemClock

if TYPE_CHECKING:
    import httpx

    from sandkit._async.exchange import AsyncExchange

_MAX_CONNECTIONS = 100
_MAX_IDLE_CONNECTIONS = 20


class AsyncClientSettings(TypedDict, total=False):
    """What a client takes by keyword.

    Attributes:
        timeout: Seconds that connecting, sending and each wait for more of the answer may take, per
            attempt; None for no limit. 30 by default.
        max_retries: How often a failed request is repeated, where that is safe. 3 by default.
        headers: Headers sent with every request.
        http_client: An HTTP client of your own, with its proxies, certificates and limits. You close it.
        transport: A transport of your own instead, for instance to test without a network.
        clock: Where time comes from, for tests of code that waits.
    """

    timeout: float | None
    max_retries: int
    headers: Mapping[str, str]
    http_client: httpx.AsyncClient
    transport: httpx.AsyncBaseTransport
    clock: AsyncClock


class AsyncClient:
    """A connection to a server of the lifecycle API; make one and share it.

    It holds one pool of connections: share it between the tasks of an event loop, or between threads
    where calls block, and close it, or use it as a context manager.

    Args:
        api_key: The API key; by default OPEN_SANDBOX_API_KEY, else none is sent.
        base_url: The server, as a URL or `host[:port]`; by default OPEN_SANDBOX_DOMAIN, else
            `localhost:8080`. Without a scheme OPEN_SANDBOX_PROTOCOL counts, else http. `/v1` is added
            where it is missing.
        **settings: See `AsyncClientSettings`.

    Attributes:
        sandboxes: Creates and finds sandboxes.
        snapshots: Finds snapshots.
        pools: Keeps sandboxes warm.

    Raises:
        ConfigurationError: A setting or environment variable is malformed.
        TypeError: A setting is misspelt.
    """

    sandboxes: AsyncSandboxes
    snapshots: AsyncSnapshots
    pools: AsyncPools

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        **settings: Unpack[AsyncClientSettings],
    ) -> None:
        refuse_unknown(type(self).__name__, settings, AsyncClientSettings.__annotations__)
        log.configure(os.environ)
        self._config = config.ClientConfig(
            base_url=config.base_url(base_url, os.environ),
            api_key=config.api_key(api_key, os.environ),
            timeout=config.timeout_seconds(settings.get("timeout", config.DEFAULT_TIMEOUT)),
            max_retries=config.retries(settings.get("max_retries", config.DEFAULT_MAX_RETRIES)),
            headers=config.checked_headers(settings.get("headers", {})),
        )
        self._owns_connections = "http_client" not in settings
        self._exchange = _exchange(self._config, settings)
        self.sandboxes = AsyncSandboxes(self._exchange)
        self.snapshots = AsyncSnapshots(self._exchange)
        self.pools = AsyncPools(self._exchange)

    @property
    def base_url(self) -> str:
        """The address of the API, with its version."""
        return self._config.base_url

    async def health(self, *, options: RequestOptions | None = None) -> models.Health:
        """Ask whether the server can serve requests; needs no key."""
        return (await self._exchange.call(get_health.build(), get_health.parse, options)).value

    async def version(self, *, options: RequestOptions | None = None) -> models.Version:
        """Ask which server this is and what its runtime can do; needs no key."""
        return (await self._exchange.call(get_version.build(), get_version.parse, options)).value

    async def close(self) -> None:
        """Close the connections, unless they belong to an `http_client` of your own; may be called twice.

        Calls after that raise ClientClosedError.
        """
        await self._exchange.close(connections=self._owns_connections)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        key = "'***'" if self._config.api_key else "None"
        return f"{type(self).__name__}(base_url={self.base_url!r}, api_key={key})"


def _exchange(settings_of: config.ClientConfig, settings: AsyncClientSettings) -> AsyncExchange:
    # Importing the HTTP library takes most of a quarter of a second, so it waits for the first client.
    import httpx

    from sandkit._async.exchange import AsyncExchange

    if "http_client" in settings and "transport" in settings:
        raise ConfigurationError(
            "give http_client or transport, not both: a client has a transport of its own"
        )
    http = settings.get("http_client") or httpx.AsyncClient(
        transport=settings.get("transport"),
        limits=httpx.Limits(
            max_connections=_MAX_CONNECTIONS, max_keepalive_connections=_MAX_IDLE_CONNECTIONS
        ),
    )
    return AsyncExchange(settings_of, http, settings.get("clock") or AsyncSystemClock())
