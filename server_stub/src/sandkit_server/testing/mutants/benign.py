"""Servers that are different and nevertheless right: a suite that reddens here knows only one server."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from sandkit_server.main import Alterations, Asgi
from sandkit_server.testing.mutants.exchanges import Reply, answers
from sandkit_server.testing.mutants.mutant import Kind, Mutant


def _more_than_documented(reply: Reply) -> None:
    body = reply.json
    if isinstance(body, dict):
        if reply.status < 400 and "status" in body and isinstance(body["status"], dict):
            body["status"]["observedGeneration"] = 7
        body["x-served-by"] = "node-1"
        reply.write(body)
    reply.put(b"x-served-by", b"node-1")
    reply.put(b"cache-control", b"no-store")


def _other_spelling(reply: Reply) -> None:
    """Fields in another order, white space, a charset, messages in other words, header names in capitals."""
    body = reply.json
    if isinstance(body, dict):
        if reply.status >= 400:
            body["message"] = f"Sorry. {body['message']}"
        reply.body = json.dumps(dict(reversed(body.items())), indent=2).encode()
        reply.put(b"content-type", b"application/json; charset=utf-8")
    # HTTP/1.1 header names have no case (RFC 9110, 5.1).
    reply.headers = [(name.title(), value) for name, value in reply.headers]


_GENERAL = {
    "SANDBOX::INVALID_PORT",
    "SANDBOX::INVALID_EXPIRATION",
    "SANDBOX::INVALID_METADATA_LABEL",
    "DIAGNOSTICS::UNKNOWN_SCOPE",
}


def _general_codes(reply: Reply) -> None:
    body = reply.json
    if reply.status == 400 and isinstance(body, dict) and body.get("code") in _GENERAL:
        reply.write({**body, "code": "REQUEST::INVALID_PARAMETER"})


def _later(app: Asgi) -> Asgi:
    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.03)
        await app(scope, receive, send)

    return wrapped


BENIGN = (
    Mutant(
        id="benign-general-codes",
        requirement=None,
        defect="What is invalid is told by the general code, where the contract leaves that open.",
        alter=answers(_general_codes),
        kind=Kind.BENIGN,
    ),
    Mutant(
        id="benign-slow-answers",
        requirement=None,
        defect="Every answer is a network away.",
        alter=Alterations(app=_later),
        kind=Kind.BENIGN,
    ),
    Mutant(
        id="benign-without-options",
        requirement=None,
        defect="There are no snapshots and no pools, and nothing can be paused.",
        options=("--without", "snapshots", "--without", "pools", "--pause-mode", "none"),
        lacks=("snapshots", "pools", "pause", "pause.rootfs"),
        kind=Kind.BENIGN,
    ),
    Mutant(
        id="benign-with-limits",
        requirement=None,
        defect="Lifetimes have a limit, a folder of the node may be mounted, and ports are reached through "
        "the server.",
        options=("--max-lifetime", "2592000", "--allowed-host-prefix", "/srv/sandkit"),
        choices={"maxLifetime": 2_592_000, "hostPathPrefix": "/srv/sandkit", "endpoints": "proxied"},
        kind=Kind.BENIGN,
    ),
    Mutant(
        id="benign-slow-transitions",
        requirement=None,
        defect="Each step takes ten times as long.",
        options=("--transition-time", "0.2"),
        kind=Kind.BENIGN,
    ),
    Mutant(
        id="benign-instant-transitions",
        requirement=None,
        defect="No step takes any time, so that states in between are hardly ever seen.",
        options=("--transition-time", "0"),
        kind=Kind.BENIGN,
    ),
    Mutant(
        id="benign-more-fields",
        requirement=None,
        defect="Answers have fields and headers that nobody knows.",
        alter=answers(_more_than_documented),
        kind=Kind.BENIGN,
    ),
    Mutant(
        id="benign-other-spelling",
        requirement=None,
        defect="Answers are spelled differently: order of fields, white space, words, capitals of headers.",
        alter=answers(_other_spelling),
        kind=Kind.BENIGN,
    ),
    Mutant(
        id="benign-pause-by-freezing",
        requirement=None,
        defect="A pause freezes the processes and takes no snapshot.",
        options=("--pause-mode", "freeze"),
        lacks=("pause.rootfs",),
        choices={"pauseMode": "freeze"},
        kind=Kind.BENIGN,
    ),
)
