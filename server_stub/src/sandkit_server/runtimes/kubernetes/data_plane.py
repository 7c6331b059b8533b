"""The ports of sandboxes through this server, for clients that cannot reach the pods themselves."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import httpx2

from sandkit_server.core import access
from sandkit_server.core.errors import ErrorCode, SandkitError
from sandkit_server.core.model import SandboxState
from sandkit_server.core.observation import DataPlaneAnswer
from sandkit_server.core.port_errors import NotFound, PortError
from sandkit_server.core.ports import Clock, Workload, WorkloadProvider
from sandkit_server.core.translation import translate, unavailable
from sandkit_server.core.validation import RENEW_EXTENSION
from sandkit_server.runtimes.kubernetes.kind import WorkloadKind
from sandkit_server.runtimes.kubernetes.objects import Objects
from sandkit_server.runtimes.kubernetes.reach import authority
from sandkit_server.runtimes.kubernetes.settings import KubernetesSettings

# What belongs to one connection (RFC 9110, 7.6.1), and what is meant for this server and no sandbox.
_NOT_PASSED_ON: Final = frozenset(
    {
        access.TOKEN_HEADER,
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "open-sandbox-api-key",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_CONNECT_SECONDS: Final = 2.0

_log = logging.getLogger(__name__)


class PodDataPlane:
    """Passes GET requests on to pods of running sandboxes, and answers for none of one that does not run."""

    def __init__(
        self,
        kind: WorkloadKind,
        objects: Objects,
        workloads: WorkloadProvider,
        settings: KubernetesSettings,
        clock: Clock,
    ) -> None:
        self._kind = kind
        self._objects = objects
        self._workloads = workloads
        self._settings = settings
        self._clock = clock
        self._tokens = access.AccessTokens(settings.endpoint_secret)
        self._client = httpx2.AsyncClient(
            # Pods are reached directly, whatever proxy the environment names for the world outside.
            trust_env=False,
            # Plain HTTP only; the default would load every authority of the machine for nothing.
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            follow_redirects=False,
            timeout=httpx2.Timeout(settings.answer_seconds, connect=_CONNECT_SECONDS),
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def handle(
        self, sandbox_id: str, port: int, path: str, headers: Mapping[str, str]
    ) -> DataPlaneAnswer:
        """What the pod answers at this port. Raises SandkitError."""
        try:
            workload = await self._workloads.get(sandbox_id)
            obj = await self._objects.get(sandbox_id)
        except NotFound as error:
            message = f"There is no sandbox {sandbox_id}."
            raise SandkitError(ErrorCode.SANDBOX_SANDBOX_NOT_FOUND, message) from error
        except PortError as error:
            raise translate(error) from error
        self._tokens.admit(
            headers.get(access.TOKEN_HEADER),
            sandbox_id,
            port,
            self._clock.now().timestamp(),
            required=self._kind.details(obj).secure_access,
        )
        state, addresses = workload.sandbox.status.state, self._kind.placement(obj).addresses
        if state is not SandboxState.RUNNING or not addresses:
            raise unavailable(f"Sandbox {sandbox_id} is {state}; nothing listens.")
        await self._extend(workload)
        return await self._ask(f"http://{authority(addresses[0], port)}{path}", headers)

    async def _ask(self, url: str, headers: Mapping[str, str]) -> DataPlaneAnswer:
        kept = {name: value for name, value in headers.items() if name not in _NOT_PASSED_ON}
        try:
            async with self._client.stream("GET", url, headers=kept) as response:
                body = bytearray()
                async for part in response.aiter_raw():
                    body += part
                    if len(body) > self._settings.answer_bytes:
                        limit = self._settings.answer_bytes
                        raise unavailable(f"The sandbox's answer is larger than the {limit} bytes passed on.")
                return DataPlaneAnswer(
                    status=response.status_code, body=bytes(body), headers=dict(response.headers)
                )
        except httpx2.TimeoutException as error:
            raise unavailable("The sandbox's port did not answer in time.") from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise unavailable("The sandbox's port cannot be reached.") from error

    async def _extend(self, workload: Workload) -> None:
        """Move the expiry of a sandbox made to be extended by each access, never to an earlier instant."""
        sandbox = workload.sandbox
        seconds = sandbox.extensions.get(RENEW_EXTENSION)
        if seconds is None or sandbox.expires_at is None:
            return
        extension = timedelta(seconds=int(seconds))
        # A write for each request would load the API server; a hundredth of the extension is lost at most.
        if sandbox.expires_at > self._clock.now() + extension * 0.99:
            return
        try:
            await self._workloads.set_expiry(sandbox.id, workload.version, self._clock.now() + extension)
        except PortError as error:
            # Whoever changed the sandbox meanwhile may have extended it too.
            _log.warning("sandbox %s: its expiry could not be extended: %s", sandbox.id, error)
