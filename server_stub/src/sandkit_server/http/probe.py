"""The probe's listener.

``sandkit-probe/1``, which looks into the engine and seeds it, and never disturbs it.
"""

from __future__ import annotations

from typing import Final

from sandkit_server.core.errors import FieldError, invalid_request
from sandkit_server.core.observation import Probe
from sandkit_server.http.exchange import Answer, Request
from sandkit_server.http.json_routes import json_answer, json_object, query_value
from sandkit_server.http.routing import Route

__all__ = ["PROBE_KEY_HEADER", "probe_routes"]

PROBE_KEY_HEADER: Final = "SANDKIT-PROBE-KEY"
_BYTES: Final = b"application/octet-stream"


def probe_routes(probe: Probe) -> list[Route]:
    """All routes of the protocol, over one probe."""
    return [*_reading(probe), *_files(probe), *_seeding(probe)]


def _reading(probe: Probe) -> list[Route]:
    async def info(_: Request) -> Answer:
        return json_answer(probe.info())

    async def view(_: Request) -> Answer:
        return json_answer(await probe.view())

    async def events(request: Request) -> Answer:
        after = query_value(request, "after", "0")
        if not (after.isascii() and after.isdigit()):
            raise invalid_request([FieldError("query:after", "type", "Give a sequence number, 0 or more.")])
        return json_answer(await probe.events(int(after)))

    async def environment(request: Request) -> Answer:
        return json_answer(await probe.environment(query_value(request, "sandboxId")))

    return [
        Route("GET", "/v1/info", info),
        Route("GET", "/v1/view", view),
        Route("GET", "/v1/events", events),
        Route("GET", "/v1/environment", environment),
    ]


def _files(probe: Probe) -> list[Route]:
    async def read(request: Request) -> Answer:
        content = await probe.read_file(query_value(request, "sandboxId"), query_value(request, "path"))
        return Answer(200, content, _BYTES)

    async def write(request: Request) -> Answer:
        sandbox_id, path = query_value(request, "sandboxId"), query_value(request, "path")
        await probe.write_file(sandbox_id, path, await request.read_body())
        return Answer(204)

    async def read_volume(request: Request) -> Answer:
        content = await probe.read_volume_file(query_value(request, "volume"), query_value(request, "path"))
        return Answer(200, content, _BYTES)

    async def write_volume(request: Request) -> Answer:
        volume, path = query_value(request, "volume"), query_value(request, "path")
        await probe.write_volume_file(volume, path, await request.read_body())
        return Answer(204)

    return [
        Route("GET", "/v1/files", read),
        Route("PUT", "/v1/files", write),
        Route("GET", "/v1/volume-files", read_volume),
        Route("PUT", "/v1/volume-files", write_volume),
    ]


def _seeding(probe: Probe) -> list[Route]:
    async def seed_volume(request: Request) -> Answer:
        return json_answer(await probe.seed_volume(await json_object(request)), 201)

    async def delete_volume(request: Request) -> Answer:
        await probe.delete_volume(request.parameters["name"])
        return Answer(204)

    async def edit_volume(request: Request) -> Answer:
        return json_answer(await probe.edit_volume(request.parameters["name"], await json_object(request)))

    async def delete_snapshot(request: Request) -> Answer:
        await probe.delete_snapshot(request.parameters["snapshotId"])
        return Answer(204)

    async def seed_workload(request: Request) -> Answer:
        return json_answer(await probe.seed_workload(await json_object(request)), 201)

    async def delete_workload(request: Request) -> Answer:
        await probe.delete_workload(request.parameters["name"])
        return Answer(204)

    return [
        Route("POST", "/v1/volumes", seed_volume),
        Route("DELETE", "/v1/volumes/{name}", delete_volume),
        Route("PATCH", "/v1/volumes/{name}", edit_volume),
        Route("DELETE", "/v1/snapshots/{snapshotId}", delete_snapshot),
        Route("POST", "/v1/workloads", seed_workload),
        Route("DELETE", "/v1/workloads/{name}", delete_workload),
    ]
