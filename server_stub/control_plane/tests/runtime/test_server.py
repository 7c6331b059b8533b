"""The server on a real control plane: refusals of the cluster in the API's words, and what it cleans up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandkit_server.core.errors import SandkitError, StartError
from sandkit_server.core.model import (
    Caller,
    ClaimSource,
    CreateSandbox,
    ImageSource,
    RegistryAuth,
    Sandbox,
    SandboxState,
    Volume,
)
from sandkit_server.core.policy import Policy
from sandkit_server.core.service import LifecycleService
from sandkit_server.kubernetes import calls
from sandkit_server.kubernetes.calls import Object
from sandkit_server.kubernetes.http_cluster import HttpCluster
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES, CLAIMS, PODS, SECRETS, Resource
from sandkit_server.runtimes.kubernetes import KubernetesRuntime, KubernetesSettings, PodSettings
from sandkit_server.runtimes.kubernetes.providers.agent_sandbox import VERSIONS

from .conftest import Place

CALLER = Caller("test")
PATIENCE = 60.0
SANDBOX_RULES = [
    {"apiGroups": ["sandbox.opensandbox.io"], "resources": ["*"], "verbs": ["*"]},
]


def request(**fields: Any) -> CreateSandbox:
    """A small create request."""
    plain: dict[str, Any] = {
        "image": ImageSource(uri="busybox:1.36"),
        "entrypoint": ("sleep", "3600"),
        "resource_limits": {"cpu": "100m", "memory": "64Mi"},
    }
    return CreateSandbox(**{**plain, **fields})


def volume(name: str = "data", *, delete: bool = True, **claim: Any) -> Volume:
    """A volume on a claim of the same name."""
    source = ClaimSource(claim_name=name, delete_on_sandbox_termination=delete, **claim)
    return Volume(name=name, mount_path=f"/{name}", claim=source)


async def until(service: LifecycleService, sandbox_id: str, state: SandboxState) -> Sandbox:
    """Wait for a state."""
    async with asyncio.timeout(PATIENCE):
        while True:
            sandbox = await service.get_sandbox(sandbox_id)
            if sandbox.status.state is state:
                return sandbox
            await asyncio.sleep(0.01)


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(PATIENCE):
        while not await holds():  # noqa: ASYNC110 - whatever it looks at tells of no change
            await asyncio.sleep(0.02)


async def there(place: Place, resource: Resource) -> list[Object]:
    """The objects of a kind, as the administrator sees them."""
    return list((await place.admin.send(calls.list_all(resource)))["items"])


async def none_left(place: Place, resource: Resource) -> None:
    """Wait until there is no object of a kind."""

    async def empty() -> bool:
        return not await there(place, resource)

    await eventually(empty)


# --- a whole life ---


async def test_a_sandbox_with_its_claims_through_its_life(place: Place) -> None:
    runtime, _ = await place.server()
    service = runtime.service
    made = await service.create_sandbox(
        request(volumes=(volume(), volume("kept", delete=False)), timeout_seconds=600), CALLER
    )
    running = await until(service, made.id, SandboxState.RUNNING)
    assert running.status.last_transition_at > made.status.last_transition_at
    claims = {claim["metadata"]["name"]: claim for claim in await there(place, CLAIMS)}
    (owner,) = claims["data"]["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["blockOwnerDeletion"]) == ("BatchSandbox", made.id, False)
    assert "ownerReferences" not in claims["kept"]["metadata"]

    await service.pause(made.id)
    await until(service, made.id, SandboxState.PAUSED)
    assert not [pod for pod in await there(place, PODS) if pod["metadata"]["name"] == made.id]
    await service.resume(made.id)
    await until(service, made.id, SandboxState.RUNNING)
    after = {claim["metadata"]["name"]: claim["metadata"]["uid"] for claim in await there(place, CLAIMS)}
    assert after == {name: claim["metadata"]["uid"] for name, claim in claims.items()}

    await service.delete_sandbox(made.id)
    await none_left(place, BATCH_SANDBOXES)

    async def only_kept() -> bool:
        return [claim["metadata"]["name"] for claim in await there(place, CLAIMS)] == ["kept"]

    await eventually(only_kept)


async def test_a_delete_behind_the_server_collects_the_claim(place: Place) -> None:
    runtime, _ = await place.server()
    made = await runtime.service.create_sandbox(request(volumes=(volume(),)), CALLER)
    await until(runtime.service, made.id, SandboxState.RUNNING)
    await place.admin.send(calls.delete(BATCH_SANDBOXES, made.id))
    await none_left(place, CLAIMS)


async def test_pull_credentials_go_with_their_sandbox(place: Place) -> None:
    runtime, _ = await place.server()
    before = len(await there(place, SECRETS))
    image = ImageSource(uri="registry.test/a:1", auth=RegistryAuth(username="me", password="s3cret"))
    made = await runtime.service.create_sandbox(request(image=image), CALLER)
    await until(runtime.service, made.id, SandboxState.RUNNING)
    assert len(await there(place, SECRETS)) == before + 1
    await runtime.service.delete_sandbox(made.id)

    async def collected() -> bool:
        return len(await there(place, SECRETS)) == before

    await eventually(collected)


async def test_logs_and_events_tell_of_the_pod(place: Place) -> None:
    runtime, _ = await place.server()
    made = await runtime.service.create_sandbox(request(), CALLER)
    await until(runtime.service, made.id, SandboxState.RUNNING)
    assert isinstance(await runtime.service.logs(made.id), str)
    events = await runtime.service.events(made.id, "container")
    assert "Scheduled" in events


# --- what the cluster refuses ---


@pytest.mark.parametrize(
    ("claim", "status"),
    [
        ({"access_modes": ("ReadSometimes",)}, 400),
        ({"storage_class": "Not_A_Name"}, 400),
        ({"storage": "1Gi"}, None),
    ],
)
async def test_a_claim_the_cluster_refuses_is_the_callers_error(
    place: Place, claim: dict[str, Any], status: int | None
) -> None:
    runtime, _ = await place.server()
    create = runtime.service.create_sandbox(request(volumes=(volume(**claim),)), CALLER)
    if status is None:
        await create
        return
    with pytest.raises(SandkitError) as refused:
        await create
    assert (refused.value.status, refused.value.code) == (status, "VOLUME::INVALID_STORAGE")
    assert not await there(place, CLAIMS)


@pytest.mark.parametrize("counted", ["count/batchsandboxes.sandbox.opensandbox.io", "persistentvolumeclaims"])
async def test_a_quota_is_told_as_one(place: Place, counted: str) -> None:
    await asyncio.to_thread(place.plane.administration.forbid_more, place.namespace, counted)
    runtime, _ = await place.server()
    with pytest.raises(SandkitError) as refused:
        await runtime.service.create_sandbox(request(volumes=(volume(),)), CALLER)
    assert (refused.value.status, refused.value.code) == (403, "SANDBOX::QUOTA_EXCEEDED")
    assert "exceeded quota" in refused.value.message
    await none_left(place, CLAIMS)
    assert not await there(place, BATCH_SANDBOXES)


async def test_a_pod_the_cluster_refuses_is_told_by_its_sandbox(place: Place) -> None:
    """Only the controller meets the refusal: the template is checked when a pod is made of it."""
    runtime, _ = await place.server(
        Policy(ready_timeout=60), pods=PodSettings(template={"spec": {"priorityClassName": "no-such-class"}})
    )
    made = await runtime.service.create_sandbox(request(volumes=(volume(),)), CALLER)
    failed = await until(runtime.service, made.id, SandboxState.FAILED)
    assert "no-such-class" in (failed.status.message or "")
    await none_left(place, CLAIMS)


async def test_one_that_fits_nowhere_is_given_up_with_the_schedulers_words(place: Place) -> None:
    settings = PodSettings(template={"spec": {"nodeSelector": {"there": "is-none"}}})
    runtime, _ = await place.server(Policy(ready_timeout=6.0), pods=settings)
    made = await runtime.service.create_sandbox(request(volumes=(volume(),)), CALLER)
    failed = await until(runtime.service, made.id, SandboxState.FAILED)
    assert failed.status.reason == "ReadyTimeout"
    assert "didn't match" in (failed.status.message or "")
    await none_left(place, PODS)
    await none_left(place, CLAIMS)
    await runtime.service.delete_sandbox(made.id)
    await none_left(place, BATCH_SANDBOXES)


# --- permissions ---


async def _as(place: Place, name: str, rules: list[dict[str, Any]]) -> Place:
    account = place.plane.administration.create_account(place.namespace, name, rules)
    return replace(place, accounts={"server": account})


@pytest.mark.parametrize(
    ("verbs", "status", "told"),
    [
        (["list", "create", "patch", "delete"], 503, "grant get on persistentvolumeclaims"),
        (["get", "list", "create", "delete"], None, ""),
        (["get", "create", "patch"], None, ""),
    ],
)
async def test_permissions_on_claims_degrade_as_promised(
    place: Place, verbs: list[str], status: int | None, told: str
) -> None:
    claims = {"apiGroups": [""], "resources": ["persistentvolumeclaims"], "verbs": verbs}
    runtime, _ = await (await _as(place, "less", [*SANDBOX_RULES, claims])).server()
    create = runtime.service.create_sandbox(request(volumes=(volume(),)), CALLER)
    if status is None:
        made = await create
        await runtime.service.delete_sandbox(made.id)
        return
    with pytest.raises(SandkitError) as refused:
        await create
    assert refused.value.status == status
    assert told in refused.value.message
    assert not await there(place, CLAIMS)
    assert not await there(place, BATCH_SANDBOXES)


async def test_a_claim_that_may_not_be_made_but_is_there_is_mounted(place: Place) -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    await place.admin.send(calls.create(CLAIMS, {"metadata": {"name": "data"}, "spec": spec}))
    claims = {"apiGroups": [""], "resources": ["persistentvolumeclaims"], "verbs": ["get"]}
    runtime, _ = await (await _as(place, "reader", [*SANDBOX_RULES, claims])).server()
    made = await runtime.service.create_sandbox(request(volumes=(volume(),)), CALLER)
    await until(runtime.service, made.id, SandboxState.RUNNING)


@pytest.mark.parametrize("verbs", [["get", "create"], ["get", "list", "create"]])
async def test_without_a_permission_to_list_and_watch_it_does_not_start(
    place: Place, verbs: list[str]
) -> None:
    rules = [{"apiGroups": ["sandbox.opensandbox.io"], "resources": ["*"], "verbs": verbs}]
    with pytest.raises(StartError, match=r"may not (list|watch) .*: grant its account get, list and watch"):
        await (await _as(place, "blind", rules)).server()


async def test_without_the_kind_it_does_not_start(place: Place) -> None:
    cluster = HttpCluster(
        replace(place.plane.connection(place.namespace)), field_manager="test", namespace=place.namespace
    )
    settings = KubernetesSettings(endpoint_secret=b"secret", workload_provider="agent-sandbox")
    unknown = "sandkit_server.runtimes.kubernetes.assembly.VERSIONS"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unknown, (replace(VERSIONS[0], group="agents.test"),))
        runtime = KubernetesRuntime(cluster, settings, Policy(), lambda: "api.test:80")
        with pytest.raises(StartError, match="Install the definitions"):
            await runtime.start()


async def test_a_namespace_that_is_not_there_is_told(place: Place) -> None:
    connection = place.plane.connection("no-such-namespace")
    cluster = HttpCluster(connection, field_manager="test")
    settings = KubernetesSettings(endpoint_secret=b"secret")
    runtime = KubernetesRuntime(cluster, settings, Policy(), lambda: "api.test:80")
    await runtime.start()
    try:
        with pytest.raises(SandkitError, match="namespace no-such-namespace does not exist"):
            await runtime.service.create_sandbox(request(), CALLER)
    finally:
        await runtime.close()


# --- many servers, and their end ---


async def test_the_same_keyed_create_on_two_servers_makes_one_sandbox(place: Place) -> None:
    (one, _), (other, _) = await place.server(), await place.server()
    wanted = request(volumes=(volume(),))
    attempts = [server.service.create_sandbox(wanted, CALLER, "k") for server in (one, other) * 3]
    (only,) = {answer.id for answer in await asyncio.gather(*attempts)}
    assert [obj["metadata"]["name"] for obj in await there(place, BATCH_SANDBOXES)] == [only]
    await until(other.service, only, SandboxState.RUNNING)
    (claim,) = await there(place, CLAIMS)
    assert len(claim["metadata"]["ownerReferences"]) == 1


async def test_racing_pauses_on_two_servers_have_one_winner(place: Place) -> None:
    (one, _), (other, _) = await place.server(), await place.server()
    made = await one.service.create_sandbox(request(), CALLER)
    for server in (one, other):
        await until(server.service, made.id, SandboxState.RUNNING)
    attempts = [server.service.pause(made.id) for server in (one, other) * 4]
    answers = await asyncio.gather(*attempts, return_exceptions=True)
    assert sum(isinstance(answer, Sandbox) for answer in answers) == 1
    assert {answer.status for answer in answers if isinstance(answer, SandkitError)} == {409}


async def test_a_renewal_that_wins_the_race_is_respected(place: Place) -> None:
    runtime, _ = await place.server()
    made = await runtime.service.create_sandbox(request(timeout_seconds=60), CALLER)
    await until(runtime.service, made.id, SandboxState.RUNNING)
    soon = datetime.now(UTC) + timedelta(seconds=3)
    await runtime.service.renew(made.id, soon)
    await runtime.service.renew(made.id, soon + timedelta(hours=1))
    await asyncio.sleep(3.5)
    assert (await runtime.service.get_sandbox(made.id)).status.state is SandboxState.RUNNING
    await runtime.service.renew(made.id, datetime.now(UTC) + timedelta(seconds=0.5))
    await none_left(place, BATCH_SANDBOXES)
