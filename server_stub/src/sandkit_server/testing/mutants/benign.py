"""Servers that are different and nevertheless right: a suite that reddens here knows only one server."""

from __future__ import annotations

import json

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
    """Fields in another order, white space, a charset, and messages in other words."""
    body = reply.json
    if isinstance(body, dict):
        if reply.status >= 400:
            body["message"] = f"Sorry. {body['message']}"
        reply.body = json.dumps(dict(reversed(body.items())), indent=2).encode()
        reply.put(b"content-type", b"application/json; charset=utf-8")


BENIGN = (
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
        defect="Answers are spelled differently: order of fields, white space, words of messages.",
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
