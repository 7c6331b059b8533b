"""The API server's own interface, as far as a probe needs it: lists, single objects, watches."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Final, Self

import httpx
from attrs import frozen

from sandkit_conformance.drivers.side_port import SidePortError
from sandkit_conformance.probes.kubernetes.kubeconfig import ApiServer

Object = Mapping[str, Any]

MERGE_PATCH: Final = "application/merge-patch+json"
STRATEGIC_PATCH: Final = "application/strategic-merge-patch+json"
# What makes the API server leave out everything but metadata, so that no secret's value ever comes here.
_METADATA_ONLY: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_TIMEOUT: Final = 30.0
_WATCH_SECONDS: Final = 300


@frozen
class Kind:
    """A namespaced kind: `root` is `/api/v1` or `/apis/GROUP/VERSION`."""

    root: str
    plural: str
    name: str

    @property
    def api_version(self) -> str:
        """What objects of the kind carry as `apiVersion`."""
        return self.root.removeprefix("/apis/").removeprefix("/api/")


class StaleWatchError(Exception):
    """The API server does not keep the changes since that version any more."""


class Api:
    """A client of one namespace.

    Every method raises `SidePortError` for what is neither success nor told apart below.
    """

    def __init__(self, server: ApiServer, namespace: str) -> None:
        self.namespace = namespace
        self._url = server.url
        self._client = httpx.AsyncClient(
            verify=server.tls if server.tls is not None else False,
            headers={"authorization": f"Bearer {server.token}"} if server.token else {},
            timeout=httpx.Timeout(_TIMEOUT),
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=32),
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def serves(self, kind: Kind) -> bool:
        """Whether the API server knows the kind."""
        response = await self._send("GET", kind.root)
        if response.status_code == 404:
            return False
        known = self._decoded(response, f"GET {kind.root}").get("resources") or []
        return any(entry.get("name") == kind.plural for entry in known)

    async def list(self, kind: Kind, *, metadata_only: bool = False) -> tuple[list[Object], int]:
        """All objects, and the version of the list."""
        headers = {"accept": _METADATA_ONLY} if metadata_only else {}
        path = self._path(kind)
        body = self._decoded(await self._send("GET", path, headers=headers), f"GET {path}")
        return list(body.get("items") or []), int(body["metadata"]["resourceVersion"])

    async def get(self, kind: Kind, name: str) -> Object | None:
        """One object; None when it is not there."""
        path = self._path(kind, name)
        return self._found(await self._send("GET", path), f"GET {path}")

    async def create(self, kind: Kind, body: Mapping[str, Any]) -> Object:
        """Make an object."""
        path = self._path(kind)
        typed = {"apiVersion": kind.api_version, "kind": kind.name, **body}
        return self._decoded(await self._send("POST", path, body=typed), f"POST {path}")

    async def patch(self, kind: Kind, name: str, body: Mapping[str, Any], media: str) -> Object | None:
        """Change an object; None when it is not there."""
        path = self._path(kind, name)
        headers = {"content-type": media}
        return self._found(await self._send("PATCH", path, body=body, headers=headers), f"PATCH {path}")

    async def delete(self, kind: Kind, name: str) -> bool:
        """Delete an object, what depends on it later; False when it was not there."""
        path = self._path(kind, name)
        body = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        return self._found(await self._send("DELETE", path, body=body), f"DELETE {path}") is not None

    async def watch(self, kind: Kind, version: int) -> AsyncIterator[tuple[str, Object]]:
        """The changes after `version`, until the API server ends the watch.

        Raises:
            StaleWatchError: list again.
        """
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": str(version),
            "timeoutSeconds": str(_WATCH_SECONDS),
        }
        path = self._path(kind)
        timeout = httpx.Timeout(_TIMEOUT, read=_WATCH_SECONDS + _TIMEOUT)
        try:
            request = self._client.build_request("GET", self._url + path, params=query, timeout=timeout)
            response = await self._client.send(request, stream=True)
            try:
                if response.status_code == 410:
                    raise StaleWatchError
                if not response.is_success:
                    raise SidePortError(f"the API server: watching {path}: HTTP {response.status_code}")
                async for line in response.aiter_lines():
                    if line:
                        yield _event(json.loads(line), path)
            finally:
                await response.aclose()
        except (httpx.HTTPError, ValueError) as error:
            raise SidePortError(f"the API server: watching {path}: {error}") from error

    async def _send(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        content = None if body is None else json.dumps(body).encode()
        sent = {"accept": "application/json", "content-type": "application/json", **(headers or {})}
        try:
            return await self._client.request(method, self._url + path, content=content, headers=sent)
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise SidePortError(f"the API server: {method} {path}: {reason}") from error

    def _path(self, kind: Kind, name: str | None = None) -> str:
        path = f"{kind.root}/namespaces/{self.namespace}/{kind.plural}"
        return path if name is None else f"{path}/{name}"

    def _found(self, response: httpx.Response, what: str) -> Object | None:
        return None if response.status_code == 404 else self._decoded(response, what)

    def _decoded(self, response: httpx.Response, what: str) -> Object:
        try:
            body = response.json()
        except ValueError:
            body = None
        if not response.is_success or not isinstance(body, dict):
            told = body.get("message") if isinstance(body, dict) else response.text[:200]
            raise SidePortError(f"the API server: {what}: HTTP {response.status_code}: {told}")
        return body


def _event(event: Mapping[str, Any], path: str) -> tuple[str, Object]:
    kind, obj = event["type"], event["object"]
    if kind != "ERROR":
        return kind, obj
    if obj.get("code") == 410:
        raise StaleWatchError
    raise SidePortError(f"the API server: watching {path}: {obj.get('message')}")
