"""A load generator that costs less than what it measures.

Raw connections send one request after the other. Every answer to the same request has the same length, so an
answer is complete when that many bytes have come; nothing is parsed. Run as a process of its own:
``python load.py HOST PORT CONNECTIONS SECONDS < request``; prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from typing import cast

import uvloop


class Client(asyncio.Protocol):
    """One connection; counts its complete answers."""

    def __init__(self, request: bytes, answer_size: int, count: Callable[[], None]) -> None:
        self._request = request
        self._size = answer_size
        self._count = count
        self._got = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the first time."""
        # uvloop's transports have the interface without being subclasses of it.
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Ask again when an answer is complete."""
        self._got += len(data)
        if self._got >= self._size:
            self._got = 0
            self._count()
            self._transport.write(self._request)


async def answer_size(host: str, port: int, request: bytes) -> int:
    """Length of one whole answer; it has to be 200 with a Content-Length."""
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise SystemExit(f"not an answer to measure: {head[:200]!r}")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    size = int(length.split(b":")[1])
    await reader.readexactly(size)
    writer.close()
    await writer.wait_closed()
    return len(head) + size


async def measure(host: str, port: int, connections: int, seconds: float) -> dict[str, float]:
    """Requests per second over ``seconds``, after a tenth of it as warm-up; and the requests of both."""
    request = sys.stdin.buffer.read()
    size = await answer_size(host, port, request)
    done = 0

    def count() -> None:
        nonlocal done
        done += 1

    loop = asyncio.get_running_loop()
    transports = [
        (await loop.create_connection(lambda: Client(request, size, count), host, port))[0]
        for _ in range(connections)
    ]
    await asyncio.sleep(seconds / 10)
    begun, before = time.perf_counter(), done
    await asyncio.sleep(seconds)
    took, answered = time.perf_counter() - begun, done - before
    for transport in transports:
        transport.close()
    return {"requests_per_second": answered / took, "requests": done}


if __name__ == "__main__":
    host, port, connections, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    print(json.dumps(uvloop.run(measure(host, port, connections, seconds))))
