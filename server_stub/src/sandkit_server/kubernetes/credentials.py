"""How requests to the API server prove who sends them: a fixed token, a rotated one, or a plugin's."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx2
import msgspec

# The kubelet renews a mounted token well before it ends; client-go looks at the file as often.
_REREAD_AFTER: Final = timedelta(minutes=1)
_PLUGIN_VERSIONS: Final = frozenset(
    {"client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"}
)
_PLUGIN_SECONDS: Final = 60.0


class ConfigurationError(Exception):
    """What was configured cannot be used to reach an API server; the text says what to change."""


class Token(httpx2.Auth):
    """A bearer token that stays the same."""

    def __init__(self, token: str) -> None:
        self._header = f"Bearer {token}"

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Add the token."""
        request.headers["Authorization"] = self._header
        yield request


class TokenFile(httpx2.Auth):
    """A bearer token in a file that somebody else renews, such as a pod's service account token.

    Read again every minute, and at once when the API server no longer accepts the one in hand: a refused
    credential proves that the request had no effect, so sending it again is safe.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._header = ""
        self._read_at = datetime.min.replace(tzinfo=UTC)

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Add the token; on 401 once more with the file's present one, if it differs."""
        if datetime.now(UTC) - self._read_at >= _REREAD_AFTER:
            self._read()
        sent = request.headers["Authorization"] = self._header
        response = yield request
        if response.status_code == httpx2.codes.UNAUTHORIZED:
            self._read()
            if self._header != sent:
                request.headers["Authorization"] = self._header
                yield request

    def _read(self) -> None:
        try:
            self._header = f"Bearer {self._path.read_text('ascii').strip()}"
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"the token file {self._path} cannot be read: {error}") from error
        self._read_at = datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """A program that prints an ``ExecCredential``, as a kubeconfig names it under ``user.exec``."""

    command: str
    arguments: Sequence[str] = ()
    environment: Mapping[str, str]
    api_version: str


class PluginToken(httpx2.Auth):
    """A bearer token that a plugin makes when the last one has ended or was refused.

    Plugins that answer with a client certificate are not supported.
    """

    def __init__(self, plugin: Plugin) -> None:
        if plugin.api_version not in _PLUGIN_VERSIONS:
            raise ConfigurationError(
                f"the credential plugin {plugin.command} speaks {plugin.api_version}, "
                f"but only {' and '.join(sorted(_PLUGIN_VERSIONS))} are understood"
            )
        self._plugin = plugin
        self._header = ""
        self._ends: datetime | None = None
        self._one_at_a_time = asyncio.Lock()

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """Add the token; on 401 once more with a fresh one."""
        sent = request.headers["Authorization"] = await self._fresh(refused="")
        response = yield request
        if response.status_code == httpx2.codes.UNAUTHORIZED:
            request.headers["Authorization"] = await self._fresh(refused=sent)
            yield request

    async def _fresh(self, refused: str) -> str:
        async with self._one_at_a_time:
            ended = self._ends is not None and datetime.now(UTC) >= self._ends
            if not self._header or ended or self._header == refused:
                status = await self._run()
                if not isinstance(status.get("token"), str):
                    raise ConfigurationError(f"the credential plugin {self._plugin.command} gave no token")
                self._header = f"Bearer {status['token']}"
                ends = status.get("expirationTimestamp")
                self._ends = datetime.fromisoformat(ends) if ends else None
            return self._header

    async def _run(self) -> Mapping[str, Any]:
        plugin = self._plugin
        told = {"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": {"interactive": False}}
        environment = {
            **os.environ,
            **plugin.environment,
            "KUBERNETES_EXEC_INFO": msgspec.json.encode(told).decode(),
        }
        try:
            process = await asyncio.create_subprocess_exec(
                plugin.command,
                *plugin.arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                env=environment,
            )
        except OSError as error:
            raise ConfigurationError(f"the credential plugin {plugin.command} cannot run: {error}") from error
        try:
            printed, _ = await asyncio.wait_for(process.communicate(), _PLUGIN_SECONDS)
        except BaseException:
            process.kill()
            await process.wait()
            raise
        if process.returncode != 0:
            raise ConfigurationError(
                f"the credential plugin {plugin.command} ended with {process.returncode}"
            )
        try:
            answer = msgspec.json.decode(printed, type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise ConfigurationError(f"the credential plugin {plugin.command} printed no JSON") from error
        status = answer.get("status")
        return status if isinstance(status, dict) else {}
