"""What proxies get wrong: pieces that the catalogue puts together."""

from __future__ import annotations

import posixpath
import re
import uuid
from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qsl, unquote, urlencode

import anyio
from attrs import evolve

from sandkit_conformance.mutants.proxy.exchange import Behaviour, Forward, Reply, Request

HTML: Final = b"text/html; charset=utf-8"
JSON: Final = b"application/json"

Condition = Callable[[Request, Reply], bool]
Change = Callable[[Request, Reply], Reply]


def changes(condition: Condition, change: Change) -> Behaviour:
    """Change the answers that `condition` holds for."""

    async def behave(request: Request, forward: Forward) -> Reply:
        reply = await forward(request)
        return change(request, reply) if condition(request, reply) else reply

    return behave


def asks(change: Callable[[Request], Request]) -> Behaviour:
    """Change every request before it is forwarded."""

    async def behave(request: Request, forward: Forward) -> Reply:
        return await forward(change(request))

    return behave


def to(method: str, pattern: str, *statuses: int) -> Condition:
    """Answers to `method` on paths that end in `pattern`, with one of `statuses` or else with a success."""

    def holds(request: Request, reply: Reply) -> bool:
        wanted = reply.status in statuses if statuses else reply.ok
        return wanted and request.is_for(method, pattern)

    return holds


def every(*statuses: int) -> Condition:
    """Answers with one of `statuses`; without any, all answers."""
    return lambda _request, reply: not statuses or reply.status in statuses


def strips(name: bytes) -> Change:
    """Remove a header."""
    return lambda _request, reply: reply.without(name)


def turns_into(status: int) -> Change:
    """Tell another status, and keep the rest."""
    return lambda _request, reply: evolve(reply, status=status)


def page(status: int, title: str) -> Change:
    """Answer with a page for people, as proxies do for errors of their own."""
    body = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>".encode()
    return lambda _request, reply: reply.saying(status, HTML, body)


def loses_the_body(_request: Request, reply: Reply) -> Reply:
    """Send the head alone."""
    return evolve(reply, body=b"")


def breaks_off(_request: Request, reply: Reply) -> Reply:
    """Announce the whole body, send half of it, and close the connection."""
    return evolve(reply, cut=len(reply.body) // 2)


def names_the_key(request: Request, reply: Reply) -> Reply:
    """Tell in a header which key was used."""
    key = request.header(b"open-sandbox-api-key")
    return reply.having(b"x-forwarded-key", key) if key else reply


def own_request_id(_request: Request, reply: Reply) -> Reply:
    """Number the exchange anew."""
    return reply.having(b"x-request-id", f"edge-{uuid.uuid4().hex}".encode("ascii"))


def delays(method: str, pattern: str, seconds: float) -> Behaviour:
    """Hold some answers back."""

    async def behave(request: Request, forward: Forward) -> Reply:
        reply = await forward(request)
        if request.is_for(method, pattern):
            await anyio.sleep(seconds)
        return reply

    return behave


def sends_twice(method: str, pattern: str, *, tells_the_second: bool = False) -> Behaviour:
    """Forward some requests a second time, as if the first had been lost."""

    async def behave(request: Request, forward: Forward) -> Reply:
        first = await forward(request)
        if not request.is_for(method, pattern) or not first.ok:
            return first
        second = await forward(request)
        return second if tells_the_second else first

    return behave


def caches_without_the_key() -> Behaviour:
    """Keep what was read with a key, and show it to whoever asks without one."""
    copies: dict[bytes, Reply] = {}

    async def behave(request: Request, forward: Forward) -> Reply:
        if request.method == "GET" and not request.header(b"open-sandbox-api-key"):
            copy = copies.get(request.target)
            if copy is not None:
                return copy
        reply = await forward(request)
        if request.method == "GET" and reply.status == 200:
            copies[request.target] = reply
        return reply

    return behave


def caches_through_changes(method: str, pattern: str) -> Behaviour:
    """Answer the first read after a change from the copy made before it."""
    copies: dict[bytes, Reply] = {}
    stale: set[bytes] = set()

    async def behave(request: Request, forward: Forward) -> Reply:
        if request.method == "GET" and request.target in stale:
            stale.discard(request.target)
            return copies[request.target]
        reply = await forward(request)
        if request.method == "GET" and reply.status == 200:
            copies[request.target] = reply
        elif reply.ok and request.is_for(method, pattern) and request.target in copies:
            stale.add(request.target)
        return reply

    return behave


def last_of_each_parameter(request: Request) -> Request:
    """Keep of a parameter that is repeated the last value only."""
    path, mark, query = request.target.partition(b"?")
    pairs = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
    return evolve(request, target=path + mark + urlencode(pairs).encode("ascii"))


def resolved_path(request: Request) -> Request:
    """Decode the path and take its dots out, which is for whoever serves it to do."""
    path, mark, query = request.target.partition(b"?")
    plain = posixpath.normpath(unquote(path.decode("latin-1")))
    encoded = re.sub(rb"[^!-~]", lambda found: b"%%%02X" % ord(found.group()), plain.encode("utf-8"))
    return evolve(request, target=encoded + mark + query)


def all_json(request: Request) -> Request:
    """Declare whatever has a body to be JSON."""
    return request.having(b"content-type", JSON) if request.body else request


def without_idempotency_key(request: Request) -> Request:
    """Forward the headers on a list, which this one is not on."""
    return request.without(b"idempotency-key")
