"""A stand-in for the API server: answers that a test wrote, and what it was asked."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx

from sandkit_server.kubernetes.connection import Connection
from sandkit_server.kubernetes.http_cluster import HttpCluster, Limits

SERVER = "https://api.example.invalid:6443"

Answer = httpx.Response | Exception


class ApiServer(httpx.AsyncBaseTransport):
    """Answers one request after the other; raises what is an exception."""

    def __init__(self, *answers: Answer | Callable[[httpx.Request], httpx.Response]) -> None:
        self._answers = list(answers)
        self.asked: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        # A copy: who authenticates changes the request and sends it again.
        self.asked.append(
            httpx.Request(request.method, request.url, headers=request.headers, content=request.content)
        )
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else answer(request)

    def cluster(self, auth: httpx.Auth | None = None, limits: Limits | None = None) -> HttpCluster:
        return HttpCluster(
            Connection(server=SERVER, namespace="boxes", auth=auth),
            field_manager="sandkit-tests",
            transport=self,
            limits=limits,
        )


def answer(body: Any, status: int = 200, **headers: str) -> httpx.Response:
    return httpx.Response(
        status, json=body, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


def failure(code: int, message: str = "no", reason: str = "", **details: Any) -> httpx.Response:
    status = {"kind": "Status", "code": code, "message": message, "reason": reason, "details": details}
    return answer(status, code)


class Chunks(httpx.AsyncByteStream):
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
