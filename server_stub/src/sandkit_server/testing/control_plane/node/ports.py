"""The network of the node: an address on loopback for every pod, and something that answers there."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

# Who a request reached: what the body of the answer says for a port.
Answer = Callable[[int], str]

_LONGEST_HEAD: Final = 16_384
_MOST_TRIES: Final = 50


class PodNetwork:
    """Gives addresses out of 127.0.0.0/8, and answers HTTP on the same few ports of each.

    Args:
        ports: Where every pod answers; none for measurements, which then cost no socket.
    """

    def __init__(self, ports: Sequence[int] = ()) -> None:
        self._ports = tuple(ports)
        # Several stand-ins may run on one machine.
        self._block = 16 + secrets.randbelow(224)
        self._numbers = itertools.count(1)
        self._servers: dict[str, list[asyncio.Server]] = {}

    async def join(self, answer: Answer) -> str:
        """A new address that answers from now on. Raises OSError when none can be had."""
        for _ in range(_MOST_TRIES):
            ip = self._next()
            servers: list[asyncio.Server] = []
            try:
                for port in self._ports:
                    serve = partial(_serve, port, answer)
                    servers.append(await asyncio.start_server(serve, ip, port, limit=_LONGEST_HEAD))
            except OSError:
                for server in servers:
                    server.close()
                continue
            self._servers[ip] = servers
            return ip
        raise OSError("no address of the node's network is free")

    def leave(self, ip: str) -> None:
        """Nothing answers at the address any more."""
        for server in self._servers.pop(ip, ()):
            server.close()

    def close(self) -> None:
        """Take all addresses back."""
        for ip in list(self._servers):
            self.leave(ip)

    def _next(self) -> str:
        high, low = divmod(next(self._numbers), 254)
        return f"127.{self._block}.{high % 256}.{low + 1}"


async def _serve(
    port: int, answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split(b" ", 2)[1].decode("latin-1")
        body = ("pong" if path.strip("/") == "ping" else answer(port)).encode()
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"
            + f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        await writer.drain()
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, IndexError):
        pass
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
