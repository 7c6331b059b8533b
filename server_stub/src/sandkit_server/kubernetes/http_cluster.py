"""The cluster over HTTP: calls sent on kept connections, answers and failures translated."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self
from urllib.parse import urlencode, urlsplit

import httpx2
import msgspec

from sandkit_server.core.port_errors import Forbidden, NotFound, PortError, Unavailable
from sandkit_server.kubernetes import answers
from sandkit_server.kubernetes.calls import Call, Object, PatchType, Verb, get
from sandkit_server.kubernetes.connection import Connection
from sandkit_server.kubernetes.credentials import ConfigurationError
from sandkit_server.kubernetes.resources import PODS, Resource
from sandkit_server.kubernetes.watch import Change, Event
from sandkit_server.kubernetes.watch import decode as decode_events

_NO_LABELS: Final[Mapping[str, str]] = MappingProxyType({})
_METHODS: Final = {
    Verb.GET: "GET",
    Verb.LIST: "GET",
    Verb.WATCH: "GET",
    Verb.CREATE: "POST",
    Verb.PATCH: "PATCH",
    Verb.DELETE: "DELETE",
}
_ON_COLLECTIONS: Final = frozenset({Verb.LIST, Verb.WATCH, Verb.CREATE})
_NAME: Final = re.compile(r"[a-z0-9][-a-z0-9.]*")
_READS: Final = frozenset({Verb.GET, Verb.LIST})
_NOT_TOLD: Final = frozenset({401, 403})
_JSON: Final = "application/json"
_IDLE_CONNECTIONS: Final = 16
_CHANGES: Final = frozenset(Change)
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How patient the client is. Seconds, unless a name says otherwise.

    Attributes:
        connect: To reach the API server.
        answer: Between two pieces of an answer; the API server itself gives up on a request after 60.
        watch: How long one watch is asked to last; each is cut short at random by up to half of it, so that
            they do not all begin again at once.
        silence: After how long without a word a watch counts as broken. The API server sends a bookmark about
            once a minute.
        page: Objects per page of a list.
        connections: Open at the same time, watches included.
    """

    connect: float = 5.0
    answer: float = 65.0
    watch: float = 540.0
    silence: float = 150.0
    page: int = 500
    connections: int = 100


class HttpCluster:
    """Sends calls to one API server, as one identity in one namespace; an async context manager.

    Reads are sent a second time when their connection broke, writes never: what became of them is unknown,
    and the caller's own next look tells. What an API server forbids before it is ready counts as no answer.

    Attributes:
        traffic: How many requests were answered how: (verb, resource, HTTP status) to a count; the status is
            0 where there was no answer. For metrics.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        field_manager: str,
        namespace: str | None = None,
        limits: Limits | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        """Open nothing yet.

        Args:
            connection: Where the API server is, and who we are.
            field_manager: Written by the API server into ``managedFields`` beside what we change.
            namespace: Where to work; by default the connection's own.
            limits: How patient to be.
            transport: Carries the requests instead of the network.
        """
        self._limits = limits = limits or Limits()
        self._namespace = namespace or connection.namespace
        self._manager = field_manager
        self._server = connection.server.rstrip("/")
        self._extensions: dict[str, Any] = {
            "timeout": httpx2.Timeout(limits.answer, connect=limits.connect).as_dict()
        }
        if connection.server_name:
            self._extensions["sni_hostname"] = connection.server_name
        self._headers = {"Accept": _JSON, "User-Agent": field_manager}
        self.traffic: Counter[tuple[str, str, int]] = Counter()
        self._client = httpx2.AsyncClient(
            verify=connection.tls if connection.tls is not None else False,
            auth=connection.auth,
            proxy=connection.proxy,
            # As every Kubernetes client: the environment may name a proxy, but loopback is never proxied.
            trust_env=urlsplit(self._server).hostname not in _LOOPBACK,
            limits=httpx2.Limits(
                max_connections=limits.connections,
                # Each request looks at every idle connection; more than this cost more than they save.
                max_keepalive_connections=_IDLE_CONNECTIONS,
                keepalive_expiry=30.0,
            ),
            transport=transport,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    @property
    def namespace(self) -> str:
        """Where every call goes."""
        return self._namespace

    async def send(self, call: Call) -> Object:
        """Carry out a call; see :class:`sandkit_server.kubernetes.calls.Cluster`."""
        if call.verb is Verb.LIST:
            return await self._list(call)
        return await self._answered(call, self._parameters(call))

    async def read_log(self, pod: str, *, container: str = "", lines: int | None = None) -> str:
        """What a container wrote; see :class:`sandkit_server.kubernetes.calls.PodLogs`."""
        parameters = {"container": container} if container else {}
        if lines is not None:
            parameters["tailLines"] = str(lines)
        call = Call(verb=Verb.GET, resource=PODS, name=pod, subresource="log")
        return (await self._response(call, parameters)).text

    async def serves(self, resource: Resource) -> bool:
        """Whether the API server knows the kind in this version, as its discovery says.

        Raises Unavailable.
        """
        call = get(resource, "")
        prefix = f"apis/{resource.group}" if resource.group else "api"
        url = f"{self._server}/{prefix}/{resource.version}"
        request = httpx2.Request("GET", url, headers=self._headers, extensions=self._extensions)
        response = await self._exchange(call, request)
        if response.status_code == httpx2.codes.NOT_FOUND:
            return False
        if not response.is_success:
            raise answers.refusal(call, response, self._namespace)
        kinds = answers.decode(response.content).get("resources") or ()
        return any(kind.get("name") == resource.plural for kind in kinds)

    async def watch(
        self, resource: Resource, version: str, labels: Mapping[str, str] = _NO_LABELS
    ) -> AsyncGenerator[Event, None]:
        """The changes after ``version``; see :class:`sandkit_server.kubernetes.watch.WatchedCluster`."""
        call = Call(verb=Verb.WATCH, resource=resource, labels=labels)
        lasting = self._limits.watch * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        parameters = {
            **self._parameters(call),
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(max(1, int(lasting))),
        }
        async with aclosing(self._watched(call, parameters, version)) as events:
            async for event in events:
                if event.type == "ERROR":
                    raise answers.translate(call, event.object, self._namespace)
                if event.type in _CHANGES:
                    answers.check(event.object)
                    yield event

    async def _watched(
        self, call: Call, parameters: Mapping[str, str], version: str
    ) -> AsyncGenerator[Event, None]:
        request = self._request(call, parameters)
        patience = httpx2.Timeout(self._limits.silence, connect=self._limits.connect)
        request.extensions["timeout"] = patience.as_dict()
        status = 0
        try:
            response = await self._client.send(request, stream=True)
            async with aclosing(response):
                status = response.status_code
                if not response.is_success:
                    await response.aread()
                    raise answers.refusal(call, response, self._namespace)
                yield Event(Change.BOOKMARK, {"metadata": {"resourceVersion": version}})
                async for event in decode_events(response.aiter_bytes()):
                    yield event
        except httpx2.HTTPError as error:
            raise _broken(call, error) from error
        except ConfigurationError as error:
            raise _no_credentials(error) from error
        finally:
            self._count(call, status)

    async def _list(self, call: Call) -> Object:
        parameters = {**self._parameters(call), "limit": str(self._limits.page)}
        first = page = answers.check(await self._answered(call, parameters))
        items = list(page.get("items") or ())
        while following := page["metadata"].get("continue"):
            page = answers.check(await self._answered(call, {**parameters, "continue": following}))
            items.extend(page.get("items") or ())
        metadata = {key: value for key, value in page["metadata"].items() if key != "remainingItemCount"}
        # Items of the built-in kinds come without them; an object looks the same wherever it comes from.
        typed = {"apiVersion": call.resource.api_version, "kind": call.resource.kind}
        whole = [item if "kind" in item else {**typed, **item} for item in items]
        return {**first, "metadata": metadata, "items": whole}

    async def _answered(self, call: Call, parameters: Mapping[str, str]) -> Object:
        return answers.decode((await self._response(call, parameters)).content)

    async def _response(self, call: Call, parameters: Mapping[str, str]) -> httpx2.Response:
        attempts = 2 if call.verb in _READS else 1
        was_ready = False
        while True:
            attempts -= 1
            try:
                response = await self._exchange(call, self._request(call, parameters))
            except Unavailable as error:
                if attempts and isinstance(error.__cause__, (httpx2.ReadError, httpx2.RemoteProtocolError)):
                    continue
                raise
            if response.is_success:
                return response
            refusal = answers.refusal(call, response, self._namespace)
            if was_ready or not isinstance(refusal, Forbidden):
                raise refusal
            if await self._is_starting():
                message = f"the API server does not say that it is ready; until it does, {refusal.message}"
                raise Unavailable(message) from refusal
            # It may have become so only since it refused, which has no effect: once more.
            was_ready = True

    async def _is_starting(self) -> bool:
        """Whether the API server is not ready: before it has read the roles it forbids everything.

        Whether it is, it tells everybody with credentials, by a role that is in every cluster; so it does not
        tell, either, before it has read that one.
        """
        url = f"{self._server}/readyz"
        request = httpx2.Request("GET", url, headers=self._headers, extensions=dict(self._extensions))
        try:
            response = await self._client.send(request)
        except (httpx2.HTTPError, ConfigurationError):
            return True
        return response.is_server_error or response.status_code in _NOT_TOLD

    async def _exchange(self, call: Call, request: httpx2.Request) -> httpx2.Response:
        status = 0
        try:
            response = await self._client.send(request)
            status = response.status_code
        except httpx2.HTTPError as error:
            raise _broken(call, error) from error
        except ConfigurationError as error:
            raise _no_credentials(error) from error
        finally:
            self._count(call, status)
        return response

    def _count(self, call: Call, status: int) -> None:
        verb, resource = answers.permission(call)
        self.traffic[verb, resource, status] += 1

    def _request(self, call: Call, parameters: Mapping[str, str]) -> httpx2.Request:
        # Made whole here: the client's own way merges URL, parameters, headers and cookies at every request,
        # a seventh of the work of a write.
        url = self._url(call)
        if parameters:
            url = f"{url}?{urlencode(parameters)}"
        body = _body(call)
        content = None if body is None else msgspec.json.encode(body)
        stated = {} if body is None else {"Content-Type": call.patch_type or _JSON}
        return httpx2.Request(
            _METHODS[call.verb],
            url,
            headers={**self._headers, **stated},
            content=content,
            extensions=dict(self._extensions),
        )

    def _url(self, call: Call) -> str:
        resource = call.resource
        prefix = f"apis/{resource.group}" if resource.group else "api"
        path = f"{self._server}/{prefix}/{resource.version}/namespaces/{self._namespace}/{resource.plural}"
        if call.verb not in _ON_COLLECTIONS:
            # Without a name, a delete would mean all objects, and dots would be another path.
            if not _NAME.fullmatch(call.name):
                raise NotFound(f"{resource.full_name} cannot have the name {call.name!r}")
            path += f"/{call.name}"
        return f"{path}/{call.subresource}" if call.subresource else path

    def _parameters(self, call: Call) -> dict[str, str]:
        parameters = {}
        if call.labels:
            parameters["labelSelector"] = ",".join(f"{key}={value}" for key, value in call.labels.items())
        if call.verb in {Verb.CREATE, Verb.PATCH}:
            parameters["fieldManager"] = self._manager
        return parameters


def _body(call: Call) -> Mapping[str, Any] | None:
    """What is sent with a call."""
    match call.verb:
        case Verb.CREATE:
            typed = {"apiVersion": call.resource.api_version, "kind": call.resource.kind}
            return {**typed, **(call.body or {})}
        case Verb.PATCH:
            assert isinstance(call.patch_type, PatchType), "a patch states its content type"
            return call.body or {}
        case Verb.DELETE:
            return _delete_options(call)
        case _:
            return None


def _delete_options(call: Call) -> Mapping[str, Any]:
    options: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions"}
    if call.propagation is not None:
        options["propagationPolicy"] = str(call.propagation)
    if call.grace_seconds is not None:
        options["gracePeriodSeconds"] = call.grace_seconds
    preconditions = {
        key: value
        for key, value in (("uid", call.uid), ("resourceVersion", call.resource_version))
        if value is not None
    }
    if preconditions:
        options["preconditions"] = preconditions
    return options


def _broken(call: Call, error: httpx2.HTTPError) -> PortError:
    what = "did not answer in time" if isinstance(error, httpx2.TimeoutException) else "cannot be reached"
    reason = str(error) or type(error).__name__
    verb, resource = answers.permission(call)
    return Unavailable(f"the API server {what} ({verb} {resource}: {reason})")


def _no_credentials(error: ConfigurationError) -> PortError:
    return Unavailable(f"the server has no credentials for the API server: {error}")
