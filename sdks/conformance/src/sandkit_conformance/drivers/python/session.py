"""The driver's session: reads lines, performs each call through the SDK, writes one answer per call."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import json
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO, Final, Protocol

import httpx

import sandkit
from sandkit import AsyncClient, Client, RequestOptions
from sandkit._generated.decoding import UnexpectedBody
from sandkit_conformance.drivers.protocol import HELLO_ID, PROTOCOL
from sandkit_conformance.drivers.python.answers import answer_of, answer_of_error, failed
from sandkit_conformance.drivers.python.operations import OPERATIONS, Asked, Operation
from sandkit_conformance.drivers.python.recording import (
    CURRENT,
    AsyncRecordingTransport,
    InexpressibleError,
    Recording,
    RecordingTransport,
)

_AT_ONCE: Final = 128
_LIMITS: Final = httpx.Limits(max_connections=_AT_ONCE, max_keepalive_connections=32, keepalive_expiry=5)
# What the SDK raises, before anything is sent, for values its types do not admit.
_UNTYPABLE: Final = (InexpressibleError, UnexpectedBody, TypeError, ValueError, LookupError, AttributeError)


class Performer(Protocol):
    """One of the SDK's two clients."""

    async def perform(self, operation: Operation, asked: Asked) -> Any:
        """Perform one call."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


class AsyncPerformer:
    """Calls through `AsyncClient`."""

    def __init__(self, base_url: str, api_key: str | None) -> None:
        transport = AsyncRecordingTransport(httpx.AsyncHTTPTransport(limits=_LIMITS, trust_env=False))
        self._client = AsyncClient(api_key, base_url, transport=transport, max_retries=0)

    async def perform(self, operation: Operation, asked: Asked) -> Any:
        """Perform one call."""
        return await operation.call(self._client, asked)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


class SyncPerformer:
    """Calls through `Client`, each in a thread."""

    def __init__(self, base_url: str, api_key: str | None) -> None:
        transport = RecordingTransport(httpx.HTTPTransport(limits=_LIMITS, trust_env=False))
        self._client = Client(api_key, base_url, transport=transport, max_retries=0)
        self._threads = ThreadPoolExecutor(_AT_ONCE)

    async def perform(self, operation: Operation, asked: Asked) -> Any:
        """Perform one call."""
        context = contextvars.copy_context()
        work = functools.partial(context.run, operation.call, self._client, asked)
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def close(self) -> None:
        """Close the connections; threads that still wait end with their time-outs."""
        self._client.close()
        self._threads.shutdown(wait=False, cancel_futures=True)


class Session:
    """One conversation with the suite."""

    def __init__(self, mode: str, output: BinaryIO) -> None:
        self._mode = mode
        self._output = output
        self._performer: Performer | None = None
        self._calls: dict[int, asyncio.Task[None]] = {}

    def take(self, line: Mapping[str, Any]) -> bool:
        """Act on one line; False after the last."""
        if line["type"] == "hello":
            self._greet(line)
        elif line["type"] == "call":
            task = asyncio.create_task(self._call(line))
            self._calls[line["id"]] = task
            task.add_done_callback(lambda _: self._calls.pop(line["id"], None))
        elif line["type"] == "cancel" and line["id"] in self._calls:
            self._calls[line["id"]].cancel()
        return bool(line["type"] != "bye")

    async def close(self) -> None:
        """Drop what is under way and close the connections."""
        for task in list(self._calls.values()):
            task.cancel()
        if self._performer:
            await self._performer.close()

    def _greet(self, line: Mapping[str, Any]) -> None:
        performer = AsyncPerformer if self._mode == "async" else SyncPerformer
        self._performer = performer(line["baseUrl"], line["apiKey"])
        self._write(
            {
                "type": "hello",
                "id": HELLO_ID,
                "protocol": PROTOCOL,
                "name": f"python-{self._mode}",
                "version": sandkit.__version__,
                "operations": list(OPERATIONS),
            }
        )

    async def _call(self, line: Mapping[str, Any]) -> None:
        recording = Recording(line)
        try:
            answer = await self._answer(line, recording)
        except asyncio.CancelledError:
            answer = failed("cancelled", "as asked")
        self._write({**answer, "id": line["id"]})

    async def _answer(self, line: Mapping[str, Any], recording: Recording) -> dict[str, Any]:
        assert self._performer is not None
        operation = OPERATIONS[line["operationId"]]
        CURRENT.set(recording)
        options = RequestOptions(
            timeout=line["timeout"],
            idempotency_key=line.get("idempotencyKey"),
            request_id=line.get("requestId"),
        )
        try:
            # The SDK's own time-out is for each wait on the wire; the protocol's is for the whole exchange.
            async with asyncio.timeout(line["timeout"]):
                value = await self._performer.perform(operation, Asked(line, options))
            return answer_of(value, operation, recording)
        except TimeoutError as error:
            known = answer_of_error(error, recording)
            return known or failed("timeout", f"no complete answer within {line['timeout']:g} s")
        except Exception as error:  # noqa: BLE001 - every call gets its answer, also one that shows a defect here
            known = answer_of_error(error, recording)
            if known is not None:
                return known
            kind = "internal" if recording.sent or not isinstance(error, _UNTYPABLE) else "inexpressible"
            return failed(kind, f"{type(error).__name__}: {error}")

    def _write(self, answer: Mapping[str, Any]) -> None:
        self._output.write(json.dumps(answer, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
        self._output.flush()


async def serve(mode: str) -> None:
    """Serve one conversation on standard input and output."""
    session = Session(mode, sys.stdout.buffer)
    # What the SDK or a library prints must not get among the answers.
    sys.stdout = sys.stderr
    reader = asyncio.StreamReader(limit=64 * 1024 * 1024)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    async for line in reader:
        if not session.take(json.loads(line)):
            break
    await session.close()
