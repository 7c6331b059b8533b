from __future__ import annotations

import httpx2
import pytest

from sandkit_server.core.port_errors import (
    AlreadyExists,
    Exhausted,
    Forbidden,
    Invalid,
    NoEffect,
    NotFound,
    PortError,
    Unavailable,
    VersionConflict,
)
from sandkit_server.kubernetes.answers import retry_after
from sandkit_server.kubernetes.calls import Call, Expired, Misconfigured, create, delete, get, list_all, merge
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES, PODS

from .api_server import ApiServer, answer, failure

POD = create(PODS, {"metadata": {"name": "p"}})
FORBIDDEN = 'pods is forbidden: User "u" cannot create resource "pods"'


async def refused(call: Call, response: httpx2.Response) -> PortError:
    with pytest.raises(PortError) as caught:
        # What is forbidden is asked for twice.
        await ApiServer(response, response).cluster().send(call)
    return caught.value


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (failure(400), Invalid),
        (failure(401), Unavailable),
        (failure(403, FORBIDDEN), Forbidden),
        (failure(403, 'pods "p" is forbidden: exceeded quota: few, requested: pods=1'), Exhausted),
        (failure(403, 'admission webhook "w" denied the request: no'), Invalid),
        (failure(403, 'pods "p" is forbidden: violates PodSecurity "restricted:latest"'), Invalid),
        (failure(403, 'pods "p" is forbidden: cannot set blockOwnerDeletion if …'), Forbidden),
        (failure(403, "no", causes=[{"reason": "NamespaceTerminating"}]), Misconfigured),
        (failure(404, name="p", kind="pods"), NotFound),
        (failure(404, name="boxes", kind="namespaces"), Misconfigured),
        (failure(404, "the server could not find the requested resource"), Misconfigured),
        (httpx2.Response(404, text="404 page not found\n"), Misconfigured),
        (failure(405), Misconfigured),
        (failure(409, reason="AlreadyExists", name="p", kind="pods"), AlreadyExists),
        (failure(409, reason="Conflict", name="p", kind="pods"), VersionConflict),
        (failure(409, reason="Conflict", name="few", kind="resourcequotas"), Unavailable),
        (failure(409, "Precondition failed: UID in precondition: a, UID in object meta: b"), NotFound),
        (failure(410, reason="Expired"), Expired),
        (failure(413), Invalid),
        (failure(415), Invalid),
        (failure(422), Invalid),
        (failure(429), Unavailable),
        (failure(500), Unavailable),
        (failure(503), Unavailable),
        (failure(504), Unavailable),
        (httpx2.Response(502, text="<html>bad gateway"), Unavailable),
        (httpx2.Response(302, headers={"Location": "https://elsewhere.invalid"}), Unavailable),
        (httpx2.Response(200, content=b"{"), Unavailable),
        (httpx2.Response(200, content=b"[]"), Unavailable),
        (httpx2.Response(200, content=b'{"a": "\xff"}'), Unavailable),
    ],
)
async def test_each_answer_means_one_thing(response: httpx2.Response, kind: type[PortError]) -> None:
    error = await refused(POD, response)
    assert type(error) is kind


async def test_a_forbidden_call_names_what_a_role_would_have_to_allow() -> None:
    text = 'batchsandboxes.sandbox.opensandbox.io "s" is forbidden: User "u" cannot patch resource'
    call = merge(BATCH_SANDBOXES, "s", {})
    error = await refused(call, failure(403, text))
    assert isinstance(error, Forbidden)
    assert (error.verb, error.resource) == ("patch", "batchsandboxes.sandbox.opensandbox.io")


@pytest.mark.parametrize(
    "ready",
    [
        httpx2.Response(500, text="[-]poststarthook/rbac/bootstrap-roles failed: reason withheld"),
        failure(403, 'forbidden: User "u" cannot get path "/readyz"'),
        httpx2.ConnectError("refused"),
    ],
)
async def test_what_is_forbidden_before_the_api_server_is_ready_is_not_believed(
    ready: httpx2.Response | Exception,
) -> None:
    server = ApiServer(failure(403, FORBIDDEN))
    server.ready = ready
    with pytest.raises(Unavailable, match="until it does, the server may not create pods"):
        await server.cluster().send(POD)


@pytest.mark.parametrize("ready", [httpx2.Response(200, text="ok"), httpx2.Response(404)])
async def test_what_is_forbidden_is_tried_again_as_it_may_just_have_become_ready(
    ready: httpx2.Response,
) -> None:
    server = ApiServer(failure(403, FORBIDDEN), answer({"kind": "Pod"}))
    server.ready = ready
    assert await server.cluster().send(POD) == {"kind": "Pod"}
    server = ApiServer(failure(403, FORBIDDEN), failure(403, FORBIDDEN))
    server.ready = ready
    with pytest.raises(Forbidden):
        await server.cluster().send(POD)


async def test_the_uid_of_a_patch_is_a_precondition_but_a_wrong_uid_in_a_create_is_a_mistake() -> None:
    causes = [{"field": "metadata.uid", "reason": "FieldValueInvalid"}]
    assert isinstance(await refused(merge(PODS, "p", {}), failure(422, causes=causes)), NotFound)
    assert isinstance(await refused(POD, failure(422, causes=causes)), Invalid)


async def test_the_wait_that_was_asked_for_is_passed_on() -> None:
    error = await refused(POD, answer({"kind": "Status", "code": 429}, 429, Retry_After="7"))
    assert isinstance(error, Unavailable)
    assert error.retry_after == 7.0
    error = await refused(POD, failure(503, retryAfterSeconds=3))
    assert isinstance(error, Unavailable)
    assert error.retry_after == 3.0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, None), ("2", 2.0), ("86400", 60.0), ("-1", None), ("soon", None), ("٣", None)],
)
def test_only_a_sensible_wait_is_believed(header: str | None, seconds: float | None) -> None:
    assert retry_after(header) == seconds


async def test_a_message_is_as_long_as_a_person_reads() -> None:
    error = await refused(POD, failure(422, "x" * 100_000))
    assert len(error.message) == 2_000


@pytest.mark.parametrize(
    ("failed", "certain"),
    [
        (httpx2.ConnectError("refused"), False),
        (httpx2.ReadTimeout("late"), False),
        (httpx2.ReadError("reset"), False),
        (httpx2.RemoteProtocolError("cut"), False),
    ],
)
@pytest.mark.parametrize("call", [POD, merge(PODS, "p", {}), delete(PODS, "p")], ids=lambda call: call.verb)
async def test_a_write_without_an_answer_may_have_happened_and_is_sent_once(
    call: Call, failed: Exception, certain: bool
) -> None:
    server = ApiServer(failed, answer({}))
    with pytest.raises(Unavailable) as caught:
        await server.cluster().send(call)
    assert isinstance(caught.value, NoEffect) is certain
    assert len(server.asked) == 1


@pytest.mark.parametrize("call", [get(PODS, "p"), list_all(PODS)], ids=lambda call: call.verb)
async def test_a_read_whose_connection_broke_is_sent_once_more(call: Call) -> None:
    server = ApiServer(httpx2.ReadError("reset"), answer({"metadata": {"resourceVersion": "1"}}))
    assert await server.cluster().send(call)
    server = ApiServer(httpx2.ReadError("reset"), httpx2.RemoteProtocolError("again"))
    with pytest.raises(Unavailable, match="again"):
        await server.cluster().send(call)


async def test_a_read_that_took_too_long_is_not_repeated() -> None:
    server = ApiServer(httpx2.ReadTimeout("late"))
    with pytest.raises(Unavailable, match=r"did not answer in time \(get pods: late\)"):
        await server.cluster().send(get(PODS, "p"))
