"""What can go wrong between a client and the API server, as data, and for which requests it does.

Watches answer for as long as they last, so of the faults that let the request be carried out first
(``reached``) none strikes a watch; the proxy cuts them or holds them back instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qs, urlsplit

_VERBS: Final = {"POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"}
WRITES: Final = frozenset(_VERBS.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request to the API server, in the words of a role's rules.

    Attributes:
        client: Its User-Agent, which for clients of ours is the field manager.
        verb: ``get``, ``list``, ``watch``, ``create``, ``patch``, ``update``, ``delete``; for a path that is
            no resource, the method in lower case.
        resource: Plural, group and subresource: ``pods``, ``batchsandboxes.sandbox.opensandbox.io/status``;
            for a path that is no resource, the path.
        namespace: Empty for what is in none.
        name: Empty for collections.
    """

    client: str
    verb: str
    resource: str
    namespace: str = ""
    name: str = ""


def describe(method: str, target: str, client: str) -> Request:
    """What a request asks for."""
    url = urlsplit(target)
    parts = url.path.strip("/").split("/")
    if parts[0] == "api" and len(parts) > 2:
        group, rest = "", parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        group, rest = parts[1], parts[3:]
    else:
        return Request(client=client, verb=method.lower(), resource=url.path)
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    plural, name, sub = (*rest, "", "")[:3]
    resource = f"{plural}.{group}" if group else plural
    watching = parse_qs(url.query).get("watch") in (["true"], ["1"])
    reading = "watch" if watching else "get" if name else "list"
    return Request(
        client=client,
        verb=_VERBS.get(method, reading),
        resource=f"{resource}/{sub}" if sub else resource,
        namespace=namespace,
        name=name,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Which requests are meant; what is empty matches everything.

    Attributes:
        client: The User-Agent begins with it.
        verbs: One of these.
        resource: Exactly this one, with or without its group: ``pods``, ``batchsandboxes/status``.
        name: Exactly this one.
    """

    client: str = ""
    verbs: frozenset[str] = frozenset()
    resource: str = ""
    name: str = ""

    def fits(self, request: Request) -> bool:
        """Whether ``request`` is one of them."""
        plural, _, sub = request.resource.partition("/")
        short = plural.split(".")[0] + (f"/{sub}" if sub else "")
        return (
            request.client.startswith(self.client)
            and (not self.verbs or request.verb in self.verbs)
            and self.resource in {"", request.resource, short}
            and self.name in {"", request.name}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """Answer with a failure. With ``reached`` the request is carried out first, and its answer is lost."""

    status: int
    reason: str = "InternalError"
    message: str = "injected by the test"
    headers: Mapping[str, str] = field(default_factory=dict)
    reached: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset:
    """Break the connection. With ``reached`` the request is carried out first, and its answer is lost."""

    reached: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """Wait so many seconds before the request is passed on."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Keep the request until the test opens the gate.

    With ``reached`` it is carried out first, and the answer is kept. A request whose client has gone by then
    is never passed on: this is how a process is killed before or after any of its writes.

    Attributes:
        reached: Whether the request is carried out first.
        kept: Set once the request waits, with ``reached`` after it was carried out.
        opened: Set by the test to let it go on.
        abandoned: Set when its client has gone.
    """

    reached: bool = False
    kept: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    abandoned: asyncio.Event = field(default_factory=asyncio.Event)


Fault = Refuse | Reset | Delay | Gate

CONFLICT: Final = Refuse(status=409, reason="Conflict")
GONE: Final = Refuse(status=410, reason="Expired")
BUSY: Final = Refuse(status=429, reason="TooManyRequests", headers={"Retry-After": "1"})
DOWN: Final = Refuse(status=503, reason="ServiceUnavailable")
LOST: Final = Reset(reached=True)


class Injection:
    """One fault, for the next ``times`` requests that match, after ``skipped`` of them were let through.

    Attributes:
        hits: The requests it struck.
    """

    def __init__(self, fault: Fault, match: Match, *, times: int = 1, skipped: int = 0) -> None:
        if times < 1 or skipped < 0:
            raise ValueError("a fault strikes at least once, after no or some requests")
        self.fault = fault
        self.hits: list[Request] = []
        self._match = match
        self._left = times
        self._to_skip = skipped
        self._struck = asyncio.Event()

    @property
    def spent(self) -> bool:
        """Whether it has struck as often as it was meant to."""
        return self._left == 0

    async def struck(self) -> None:
        """Return once it has struck for the first time."""
        await self._struck.wait()

    def strikes(self, request: Request) -> bool:
        """Whether it strikes this request; then it counts."""
        if self.spent or not self._match.fits(request):
            return False
        if self._to_skip:
            self._to_skip -= 1
            return False
        self._left -= 1
        self.hits.append(request)
        self._struck.set()
        return True
