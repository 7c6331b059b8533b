from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from sandkit_server.core.port_errors import Forbidden, NotFound, Unavailable
from sandkit_server.kubernetes.calls import (
    Call,
    Expired,
    Propagation,
    create,
    delete,
    get,
    list_all,
    merge,
    merge_status,
    strategic,
)
from sandkit_server.kubernetes.http_cluster import Limits
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES, CLAIMS, PODS

from .api_server import SERVER, ApiServer, Chunks, answer, failure, line, listed, obj

CUSTOM = f"{SERVER}/apis/sandbox.opensandbox.io/v1alpha1/namespaces/boxes/batchsandboxes"
CORE = f"{SERVER}/api/v1/namespaces/boxes"
MANAGER = "fieldManager=sandkit-tests"


@pytest.mark.parametrize(
    ("call", "method", "url", "content_type", "body"),
    [
        (get(PODS, "p"), "GET", f"{CORE}/pods/p", None, None),
        (get(BATCH_SANDBOXES, "s"), "GET", f"{CUSTOM}/s", None, None),
        (
            create(BATCH_SANDBOXES, {"metadata": {"name": "s"}}),
            "POST",
            f"{CUSTOM}?{MANAGER}",
            "application/json",
            {
                "apiVersion": "sandbox.opensandbox.io/v1alpha1",
                "kind": "BatchSandbox",
                "metadata": {"name": "s"},
            },
        ),
        (
            merge(BATCH_SANDBOXES, "s", {"spec": {"pause": True}}, version="7"),
            "PATCH",
            f"{CUSTOM}/s?{MANAGER}",
            "application/merge-patch+json",
            {"spec": {"pause": True}, "metadata": {"resourceVersion": "7"}},
        ),
        (
            merge_status(BATCH_SANDBOXES, "s", {"phase": "Paused"}),
            "PATCH",
            f"{CUSTOM}/s/status?{MANAGER}",
            "application/merge-patch+json",
            {"status": {"phase": "Paused"}},
        ),
        (
            strategic(CLAIMS, "c", {"metadata": {"uid": "u"}}),
            "PATCH",
            f"{CORE}/persistentvolumeclaims/c?{MANAGER}",
            "application/strategic-merge-patch+json",
            {"metadata": {"uid": "u"}},
        ),
        (
            delete(PODS, "p", uid="u", version="7", propagation=Propagation.FOREGROUND),
            "DELETE",
            f"{CORE}/pods/p",
            "application/json",
            {
                "apiVersion": "v1",
                "kind": "DeleteOptions",
                "propagationPolicy": "Foreground",
                "preconditions": {"uid": "u", "resourceVersion": "7"},
            },
        ),
    ],
    ids=lambda value: value.verb if isinstance(value, Call) else "",
)
async def test_a_call_becomes_one_request(
    call: Call, method: str, url: str, content_type: str | None, body: Any
) -> None:
    server = ApiServer(answer({"kind": "Anything"}))
    cluster = server.cluster()
    assert await cluster.send(call) == {"kind": "Anything"}
    (request,) = server.asked
    assert (request.method, str(request.url)) == (method, url)
    assert request.headers.get("Content-Type") == content_type
    assert (json.loads(request.content) if request.content else None) == body
    assert request.headers["User-Agent"] == "sandkit-tests"
    assert cluster.namespace == "boxes"


async def test_the_grace_of_a_pod_can_be_shortened() -> None:
    server = ApiServer(answer({}))
    call = Call(verb=delete(PODS, "p").verb, resource=PODS, name="p", grace_seconds=0)
    await server.cluster().send(call)
    assert json.loads(server.asked[0].content)["gracePeriodSeconds"] == 0


async def test_a_list_is_read_page_by_page_and_its_items_say_what_they_are() -> None:
    bare = {key: value for key, value in obj("a", 3).items() if key == "metadata"}
    server = ApiServer(answer(listed(9, bare, following="more")), answer(listed(9, obj("b", 4))))
    whole = await server.cluster(limits=Limits(page=1)).send(list_all(PODS, {"app": "x", "tier": ""}))
    assert [item["metadata"]["name"] for item in whole["items"]] == ["a", "b"]
    assert whole["items"][0]["kind"] == "Pod"
    assert whole["items"][0]["apiVersion"] == "v1"
    assert whole["metadata"] == {"resourceVersion": "9"}
    first, second = (request.url.params for request in server.asked)
    assert dict(first) == {"labelSelector": "app=x,tier=", "limit": "1"}
    assert dict(second) == {"labelSelector": "app=x,tier=", "limit": "1", "continue": "more"}


@pytest.mark.parametrize("body", [{}, {"metadata": None}, {"metadata": {"resourceVersion": "x"}}], ids=str)
async def test_something_else_than_a_list_is_no_empty_list(body: Any) -> None:
    with pytest.raises(Unavailable, match="no object of its own"):
        await ApiServer(answer(body)).cluster().send(list_all(PODS))


async def test_a_list_whose_next_page_has_expired_says_so() -> None:
    server = ApiServer(answer(listed(9, following="more")), failure(410))
    with pytest.raises(Expired):
        await server.cluster().send(list_all(PODS))


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "A", "a?b", "-a", "ä"])
async def test_a_name_that_no_object_can_have_is_never_sent(name: str) -> None:
    server = ApiServer()
    for call in (get(PODS, name), delete(PODS, name), merge(PODS, name, {})):
        with pytest.raises(NotFound):
            await server.cluster().send(call)
    assert server.asked == []


async def test_a_log_is_text() -> None:
    server = ApiServer(httpx2.Response(200, text="one\ntwo\n"))
    assert await server.cluster().read_log("p", container="main", lines=2) == "one\ntwo\n"
    (request,) = server.asked
    assert request.url.path.endswith("/pods/p/log")
    assert dict(request.url.params) == {"container": "main", "tailLines": "2"}


async def test_reading_a_log_has_a_permission_of_its_own() -> None:
    server = ApiServer(*[failure(403, 'User "u" cannot get resource "pods/log"')] * 2)
    with pytest.raises(Forbidden) as caught:
        await server.cluster().read_log("p")
    assert caught.value.resource == "pods/log"


async def test_discovery_tells_whether_a_kind_is_served() -> None:
    there = answer({"resources": [{"name": "batchsandboxes"}, {"name": "batchsandboxes/status"}]})
    server = ApiServer(there, answer({"resources": []}), failure(404), failure(503))
    cluster = server.cluster()
    assert [await cluster.serves(BATCH_SANDBOXES) for _ in range(3)] == [True, False, False]
    assert server.asked[0].url.path == "/apis/sandbox.opensandbox.io/v1alpha1"
    with pytest.raises(Unavailable):
        await cluster.serves(BATCH_SANDBOXES)


async def test_requests_are_counted_by_what_came_of_them() -> None:
    server = ApiServer(answer({}), failure(404, name="p"), httpx2.ReadTimeout("late"))
    cluster = server.cluster()
    await cluster.send(merge_status(BATCH_SANDBOXES, "s", {}))
    for _ in range(2):
        with pytest.raises((NotFound, Unavailable)):
            await cluster.send(get(PODS, "p"))
    assert cluster.traffic == {
        ("patch", "batchsandboxes.sandbox.opensandbox.io/status", 200): 1,
        ("get", "pods", 404): 1,
        ("get", "pods", 0): 1,
    }


# --- watches ---------------------------------------------------------------------------------------------


def stream(*pieces: bytes | Exception) -> httpx2.Response:
    return httpx2.Response(200, stream=Chunks(*pieces))


async def watched(server: ApiServer) -> list[tuple[str, str]]:
    events = []
    async for event in server.cluster().watch(PODS, "5", {"app": "x"}):
        metadata = event.object["metadata"]
        events.append((event.type, f"{metadata.get('name', '')}@{metadata['resourceVersion']}"))
    return events


async def test_a_watch_gives_the_events_however_they_arrive() -> None:
    text = line("ADDED", obj("a", 6)) + line("NEWS", {}) + b"\n" + line("DELETED", obj("a", 7))
    pieces = [text[place : place + 7] for place in range(0, len(text), 7)]
    server = ApiServer(stream(*pieces))
    assert await watched(server) == [("BOOKMARK", "@5"), ("ADDED", "a@6"), ("DELETED", "a@7")]
    parameters = dict(server.asked[0].url.params)
    assert int(parameters.pop("timeoutSeconds")) in range(270, 541)
    assert parameters == {
        "labelSelector": "app=x",
        "watch": "true",
        "allowWatchBookmarks": "true",
        "resourceVersion": "5",
    }


async def test_half_an_event_at_the_end_is_nothing() -> None:
    server = ApiServer(stream(line("ADDED", obj("a", 6)), line("ADDED", obj("b", 7))[:-5]))
    assert await watched(server) == [("BOOKMARK", "@5"), ("ADDED", "a@6")]


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (failure(410), Expired),
        (stream(line("ERROR", {"kind": "Status", "code": 410, "message": "too old"})), Expired),
        (stream(line("ERROR", {"kind": "Status", "code": 500, "message": "etcd"})), Unavailable),
        (stream(b"{nonsense\n"), Unavailable),
        (stream(line("ADDED", {"metadata": {}})), Unavailable),
        (stream(line("BOOKMARK", {"metadata": {"resourceVersion": "new"}})), Unavailable),
        (stream(b'{"type": "ADDED", "object": "\xff"}\n'), Unavailable),
        (stream(line("ADDED", obj("a", 6)), httpx2.ReadError("reset")), Unavailable),
        (stream(httpx2.ReadTimeout("silence")), Unavailable),
        (failure(503), Unavailable),
    ],
)
async def test_how_a_watch_fails(response: httpx2.Response, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        await watched(ApiServer(response))
    assert type(caught.value) is kind


async def test_watching_has_a_permission_of_its_own() -> None:
    with pytest.raises(Forbidden) as caught:
        await watched(ApiServer(failure(403, 'User "u" cannot watch resource "pods"')))
    assert caught.value.verb == "watch"
