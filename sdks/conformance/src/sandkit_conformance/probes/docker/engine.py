"""The Docker engine's own interface over its socket, as far as a probe needs it."""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote, urlsplit

import httpx

from sandkit_conformance.drivers.side_port import SidePortError
from sandkit_conformance.failures import SuiteError
from sandkit_conformance.probes.docker.unix_socket import UnixTransport

_TIMEOUT: Final = 30.0
_SECOND: Final = 1_000_000_000
# Engines write nanoseconds, which Python does not read.
_MICROSECONDS: Final = re.compile(r"(\.\d{6})\d+")


class Engine:
    """A client of one engine.

    Every method raises `SidePortError` for whatever is neither success nor told apart below.
    """

    def __init__(self, root: str, transport: httpx.AsyncBaseTransport) -> None:
        self._client = httpx.AsyncClient(
            base_url=root, transport=transport, timeout=httpx.Timeout(_TIMEOUT), trust_env=False
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def ask(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, payload: Any = None
    ) -> Any:
        """Send JSON and read JSON; None for an empty answer and for 404, of which no list has any."""
        response = await self._send(method, path, query=query, json=payload)
        if response.status_code == 404 or not response.content:
            return None
        try:
            return response.json()
        except ValueError as error:
            raise SidePortError(f"the Docker engine: {method} {path}: the answer is not JSON") from error

    async def list_containers(self, filters: Mapping[str, list[str]]) -> list[Mapping[str, Any]]:
        """Every container that fits, whether it runs or not."""
        query = {"all": "1", "filters": json.dumps(filters)}
        return list(await self.ask("GET", "/containers/json", query=query))

    async def volumes(self) -> list[Mapping[str, Any]]:
        """Every named volume."""
        return list((await self.ask("GET", "/volumes"))["Volumes"] or [])

    async def remove(self, path: str) -> bool:
        """Delete, whatever state it is in; False when it was not there."""
        # Forced, the engine would say of a volume that is not there that it has been deleted.
        query = None if path.startswith("/volumes/") else {"force": "1"}
        response = await self._send("DELETE", path, query=query)
        return response.status_code != 404

    async def read_file(self, container: str, path: str) -> str | None:
        """A file as the container sees it; None when container or file is not there."""
        response = await self._send("GET", f"/containers/{_name(container)}/archive", query={"path": path})
        if response.status_code == 404:
            return None
        try:
            with tarfile.open(fileobj=io.BytesIO(response.content)) as archive:
                member = archive.next()
                content = archive.extractfile(member) if member else None
                return content.read().decode("utf-8", "replace") if content else None
        except tarfile.TarError as error:
            raise SidePortError(
                f"the Docker engine: the archive of {path} cannot be read: {error}"
            ) from error

    async def write_files(self, container: str, files: Mapping[str, str]) -> None:
        """Write text files by absolute path; folders on the way are made."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for path, text in files.items():
                content = text.encode()
                member = tarfile.TarInfo(path.lstrip("/"))
                member.size, member.mode = len(content), 0o644
                archive.addfile(member, io.BytesIO(content))
        route = f"/containers/{_name(container)}/archive"
        response = await self._send("PUT", route, query={"path": "/"}, content=packed.getvalue())
        if response.status_code == 404:
            raise SidePortError(f"the Docker engine: there is no container {container} to write into")

    async def now(self) -> int:
        """The engine's clock, in nanoseconds of Unix time."""
        info = await self.ask("GET", "/info")
        try:
            instant = datetime.fromisoformat(_MICROSECONDS.sub(r"\1", info["SystemTime"]))
        except (KeyError, TypeError, ValueError) as error:
            raise SidePortError("the Docker engine: GET /info has no SystemTime; is it one?") from error
        return int(instant.timestamp() * _SECOND)

    async def events(self, since: int, until: int | None = None) -> AsyncIterator[Mapping[str, Any]]:
        """What happened from an instant on (nanoseconds of Unix time) to another; for ever without one."""
        query = {"since": _instant(since), "filters": json.dumps({"type": ["container", "volume", "image"]})}
        if until is not None:
            query["until"] = _instant(until)
        try:
            async with self._client.stream("GET", "/events", params=query, timeout=None) as response:
                response.raise_for_status()
                async for line in response.aiter_lines():
                    if line.strip():
                        yield json.loads(line)
        except (httpx.HTTPError, ValueError) as error:
            text = str(error) or type(error).__name__
            raise SidePortError(f"the Docker engine: GET /events: {text}") from error

    async def _send(
        self, method: str, path: str, *, query: Mapping[str, str] | None, **body: Any
    ) -> httpx.Response:
        try:
            response = await self._client.request(method, path, params=query, **body)
        except httpx.HTTPError as error:
            text = str(error) or type(error).__name__
            raise SidePortError(f"the Docker engine: {method} {path}: {text}") from error
        if response.is_success or response.status_code == 404:
            return response
        raise SidePortError(
            f"the Docker engine: {method} {path}: {response.status_code} {response.text[:200].strip()}"
        )


def connect(host: str) -> Engine:
    """A client for an address such as `unix:///var/run/docker.sock` or `tcp://127.0.0.1:2375`.

    Raises:
        SuiteError: the address is of another form.
    """
    parts = urlsplit(host)
    if parts.scheme == "unix" and parts.path:
        return Engine("http://docker", UnixTransport(parts.path))
    if parts.scheme == "tcp" and parts.netloc:
        return Engine(f"http://{parts.netloc}", httpx.AsyncHTTPTransport())
    raise SuiteError(f"{host!r} is no address of a Docker engine; write it like unix:///var/run/docker.sock")


def _instant(nanoseconds: int) -> str:
    return f"{nanoseconds // _SECOND}.{nanoseconds % _SECOND:09d}"


def _name(text: str) -> str:
    return quote(text, safe="")
