"""A stand-in for the API server: answers that a test wrote, and what it was asked."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2

from sandkit_server.kubernetes.connection import Connection
from sandkit_server.kubernetes.http_cluster import HttpCluster, Limits

SERVER = "https://api.example.invalid:6443"

Answer = httpx2.Response | Exception


class ApiServer(httpx2.AsyncBaseTransport):
    """Answers one request after the other; raises what is an exception.

    Attributes:
        asked: The requests so far, without those whether it is ready.
        ready: What it says to these.
    """

    def __init__(self, *answers: Answer | Callable[[httpx2.Request], httpx2.Response]) -> None:
        self._answers = list(answers)
        self.asked: list[httpx2.Request] = []
        self.ready: httpx2.Response | Exception = httpx2.Response(200, text="ok")

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        if request.url.path == "/readyz":
            if isinstance(self.ready, Exception):
                raise self.ready
            return self.ready
        # A copy: who authenticates changes the request and sends it again.
        self.asked.append(
            httpx2.Request(request.method, request.url, headers=request.headers, content=request.content)
        )
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx2.Response) else answer(request)

    def cluster(self, auth: httpx2.Auth | None = None, limits: Limits | None = None) -> HttpCluster:
        return HttpCluster(
            Connection(server=SERVER, namespace="boxes", auth=auth),
            field_manager="sandkit-tests",
            transport=self,
            limits=limits,
        )


def answer(body: Any, status: int = 200, **headers: str) -> httpx2.Response:
    return httpx2.Response(
        status, json=body, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


def failure(code: int, message: str = "no", reason: str = "", **details: Any) -> httpx2.Response:
    status = {"kind": "Status", "code": code, "message": message, "reason": reason, "details": details}
    return answer(status, code)


class Chunks(httpx2.AsyncByteStream):
    """A body that arrives in these pieces; an exception among them breaks the connection."""

    def __init__(self, *pieces: bytes | Exception) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece


def line(kind: str, obj: Any) -> bytes:
    return json.dumps({"type": kind, "object": obj}).encode() + b"\n"


def obj(name: str, version: int, uid: str = "", **more: Any) -> dict[str, Any]:
    metadata = {"name": name, "uid": uid or f"uid-{name}", "resourceVersion": str(version)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {**metadata, **more}}


def listed(version: int, *items: Any, following: str = "") -> dict[str, Any]:
    metadata = {"resourceVersion": str(version), **({"continue": following} if following else {})}
    return {"kind": "PodList", "apiVersion": "v1", "metadata": metadata, "items": list(items)}
