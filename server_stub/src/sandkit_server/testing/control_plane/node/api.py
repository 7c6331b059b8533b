"""The API server as a node talks to it: any path, plain JSON, watches."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from types import TracebackType
from typing import Any, Final, Self

import httpx2
import msgspec

from sandkit_server.kubernetes import watch
from sandkit_server.kubernetes.connection import Connection

Json = Mapping[str, Any]

_MERGE: Final = "application/merge-patch+json"
_WATCH_SECONDS: Final = 600


class Refused(RuntimeError):  # noqa: N818 - named for what happened
    """The API server did not do what it was asked.

    Attributes:
        status: The HTTP status; 0 when there was no answer.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class NodeApi:
    """Requests as one identity; an async context manager. Raises :class:`Refused`."""

    def __init__(self, connection: Connection) -> None:
        self._client = httpx2.AsyncClient(
            base_url=connection.server,
            verify=connection.tls if connection.tls is not None else False,
            auth=connection.auth,
            trust_env=False,
            timeout=httpx2.Timeout(30.0),
            limits=httpx2.Limits(max_connections=32, max_keepalive_connections=32),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def get(self, path: str) -> Json | None:
        """The object at a path, or ``None``."""
        try:
            return await self._send("GET", path)
        except Refused as refusal:
            if refusal.status == httpx2.codes.NOT_FOUND:
                return None
            raise

    async def create(self, path: str, body: Json) -> Json:
        """Make an object in a collection."""
        return await self._send("POST", path, body)

    async def merge(self, path: str, patch: Json) -> Json:
        """Change an object by a JSON merge patch."""
        return await self._send("PATCH", path, patch, _MERGE)

    async def delete(self, path: str, *, uid: str | None = None, at_once: bool = False) -> None:
        """Delete an object; nothing happens when it is gone already, or another one has its name."""
        options: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if at_once:
            options["gracePeriodSeconds"] = 0
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        try:
            await self._send("DELETE", path, options)
        except Refused as refusal:
            if refusal.status not in (httpx2.codes.NOT_FOUND, httpx2.codes.CONFLICT):
                raise

    async def list(self, path: str, parameters: Mapping[str, str] | None = None) -> tuple[list[Json], str]:
        """The objects of a collection, and the version to watch it from."""
        body = await self._send("GET", path, parameters=parameters)
        return list(body.get("items") or ()), str(body["metadata"]["resourceVersion"])

    async def watch(
        self, path: str, version: str, parameters: Mapping[str, str] | None = None
    ) -> AsyncIterator[watch.Event]:
        """The changes of a collection after a version, until the API server ends the watch."""
        asked = {
            **(parameters or {}),
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(_WATCH_SECONDS),
        }
        request = self._client.build_request("GET", path, params=asked)
        request.extensions["timeout"] = httpx2.Timeout(30.0, read=_WATCH_SECONDS + 30.0).as_dict()
        try:
            response = await self._client.send(request, stream=True)
            async with aclosing(response):
                if not response.is_success:
                    await response.aread()
                    raise Refused(response.status_code, f"watching {path}: {response.text[:500]}")
                async for event in watch.decode(response.aiter_bytes()):
                    if event.type == "ERROR":
                        raise Refused(int(event.object.get("code") or 0), str(event.object.get("message")))
                    yield event
        except httpx2.HTTPError as error:
            raise Refused(0, f"watching {path}: {str(error) or type(error).__name__}") from error

    async def _send(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        media: str = "application/json",
        parameters: Mapping[str, str] | None = None,
    ) -> Json:
        content = None if body is None else msgspec.json.encode(body)
        try:
            response = await self._client.request(
                method, path, content=content, params=parameters, headers={"Content-Type": media}
            )
        except httpx2.HTTPError as error:
            raise Refused(0, f"{method} {path}: {str(error) or type(error).__name__}") from error
        if not response.is_success:
            raise Refused(response.status_code, f"{method} {path}: {response.text[:500]}")
        return msgspec.json.decode(response.content, type=dict[str, Any])
