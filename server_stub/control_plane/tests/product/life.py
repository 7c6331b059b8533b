"""A sandbox's whole life as a client leads it, and what has to be left of it: what the user wanted kept."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from sandkit_server.core.errors import SandkitError
from sandkit_server.core.model import (
    Caller,
    ClaimSource,
    CreateSandbox,
    ImageSource,
    PageRequest,
    Sandbox,
    SandboxFilter,
    SandboxState,
    SnapshotState,
    Volume,
)
from sandkit_server.core.service import LifecycleService
from sandkit_server.kubernetes import standing
from sandkit_server.kubernetes.calls import list_all
from sandkit_server.kubernetes.http_cluster import HttpCluster
from sandkit_server.kubernetes.resources import (
    BATCH_SANDBOXES,
    CLAIMS,
    JOBS,
    PODS,
    SECRETS,
    SNAPSHOTS,
    Resource,
)

from .product import Product, Unanswered

# Only what never comes about takes so long, or a machine with much else to do.
PATIENCE: Final = 180.0
_LOOK_SECONDS: Final = 0.05
_CONFLICT, _NOT_FOUND = 409, 404

# (plural, name) to uid.
Census = Mapping[tuple[str, str], str]


class Client:
    """Leads lives in one namespace, beside a sandbox that nobody touches.

    Args:
        product: Who is asked.
        admin: The namespace, as the administrator sees it.
    """

    def __init__(self, product: Product, admin: HttpCluster) -> None:
        self._product = product
        self._admin = admin
        # Ids come of who asks with which key, and the namespaces share a node and its registry.
        self._caller = Caller(admin.namespace)
        self._expected: dict[tuple[str, str], str] = {}
        self._bystander: Any = None

    async def settle(self) -> None:
        """Make the bystander, with a claim that goes with it."""
        key = "bystander"
        sandbox = await self._create(key, _volume(key, delete=True))
        self._bystander = await self._object(sandbox)
        self._expected = dict(await self.census())
        assert {kind for kind, _ in self._expected} >= {"batchsandboxes", "pods", "persistentvolumeclaims"}

    async def live(self, number: int) -> None:
        """One whole life: created, paused, resumed, kept as a snapshot, deleted. Fails when it cannot end."""
        data, kept = f"data-{number}", f"kept-{number}"
        sandbox = await self._create(
            f"create-{number}", _volume(data, delete=True), _volume(kept, delete=False)
        )
        claims = {name: (await self.census())["persistentvolumeclaims", name] for name in (data, kept)}
        await self._owned(sandbox, data)
        await self._change(lambda service: service.pause(sandbox))
        await self._until(sandbox, SandboxState.PAUSED)
        await self._change(lambda service: service.resume(sandbox))
        await self._until(sandbox, SandboxState.RUNNING)
        present = await self.census()
        for name, uid in claims.items():
            assert present["persistentvolumeclaims", name] == uid, f"{name} was replaced"
        snapshot = await self._snapshot(sandbox, f"snapshot-{number}")
        await self._delete(sandbox)
        await self._remove(
            lambda service: service.delete_snapshot(snapshot), lambda service: service.get_snapshot(snapshot)
        )
        self._expected["persistentvolumeclaims", kept] = claims[kept]
        await self._converged()

    async def give_up(self, number: int) -> None:
        """Create a sandbox without asking a second time when there is no answer; delete it if it is there."""
        data, kept = f"data-{number}", f"kept-{number}"
        volumes = _volume(data, delete=True), _volume(kept, delete=False)
        with suppress(Unanswered):
            await self._product.attempt(_creating(self._caller, f"create-{number}", *volumes))
        page = await self._product.ask(
            lambda service: service.list_sandboxes(SandboxFilter(), PageRequest(page=1, page_size=10))
        )
        for sandbox in page.items:
            if sandbox.id != self._bystander["metadata"]["name"]:
                await self._owned(sandbox.id, data)
                await self._delete(sandbox.id)
        # The user's own once it is made, whoever has died since.
        claims = {name: uid for (_, name), uid in (await self.census()).items()}
        if kept in claims:
            self._expected["persistentvolumeclaims", kept] = claims[kept]
        await self._converged()

    async def census(self) -> Census:
        """Everything that the product may have made, in the namespace."""
        found: dict[tuple[str, str], str] = {}
        for resource in (BATCH_SANDBOXES, SNAPSHOTS, PODS, JOBS, CLAIMS, SECRETS):
            for obj in await self._objects(resource):
                found[resource.plural, obj["metadata"]["name"]] = obj["metadata"]["uid"]
        return found

    # --- steps ---

    async def _create(self, key: str, *volumes: Volume) -> str:
        made = await self._product.ask(_creating(self._caller, key, *volumes))
        await self._until(made.id, SandboxState.RUNNING)
        return made.id

    async def _snapshot(self, sandbox: str, key: str) -> str:
        made = await self._product.ask(
            lambda service: service.create_snapshot(sandbox, None, self._caller, key),
        )

        async def state() -> SnapshotState:
            return (await self._product.ask(lambda service: service.get_snapshot(made.id))).status.state

        await _become(state, SnapshotState.READY)
        return made.id

    async def _change(self, operation: Callable[[LifecycleService], Awaitable[object]]) -> None:
        """Ask for a change; a conflict tells who had no answer before that it was begun."""
        unanswered = self._product.unanswered
        try:
            await self._product.ask(operation)
        except SandkitError as error:
            if error.status != _CONFLICT or self._product.unanswered == unanswered:
                raise

    async def _delete(self, sandbox: str) -> None:
        await self._remove(
            lambda service: service.delete_sandbox(sandbox), lambda service: service.get_sandbox(sandbox)
        )

    async def _remove(
        self,
        delete: Callable[[LifecycleService], Awaitable[None]],
        get: Callable[[LifecycleService], Awaitable[object]],
    ) -> None:
        """Ask for a removal, and look until there is nothing any more."""
        unanswered = self._product.unanswered
        try:
            await self._product.ask(delete)
        except SandkitError as error:
            if error.status != _NOT_FOUND or self._product.unanswered == unanswered:
                raise

        async def is_gone() -> bool:
            try:
                await self._product.ask(get)
            except SandkitError as error:
                if error.status != _NOT_FOUND:
                    raise
                return True
            return False

        await _become(is_gone, True)

    async def _until(self, sandbox: str, wanted: SandboxState) -> None:
        async def state() -> SandboxState:
            return (await self._product.ask(lambda service: service.get_sandbox(sandbox))).status.state

        await _become(state, wanted)

    # --- what has to hold ---

    async def _owned(self, sandbox: str, claim: str) -> None:
        """Wait until the claim would go with the sandbox, whoever deletes that."""
        uid = (await self._object(sandbox))["metadata"]["uid"]

        async def owners() -> list[str]:
            found = next(obj for obj in await self._objects(CLAIMS) if obj["metadata"]["name"] == claim)
            return [owner["uid"] for owner in found["metadata"].get("ownerReferences", ())]

        await _become(owners, [uid])

    async def _converged(self) -> None:
        """Wait until there is what was expected and nothing else; the bystander is as it was."""
        present = await self.census()
        try:
            async with asyncio.timeout(PATIENCE):
                while present != self._expected:
                    await asyncio.sleep(_LOOK_SECONDS)
                    present = await self.census()
        except TimeoutError:
            expected = self._expected
            left = sorted(present.items() - expected.items())
            lost = sorted(expected.items() - present.items())
            raise AssertionError(f"it does not converge; too much: {left}, too little: {lost}") from None
        bystander = await self._object(self._bystander["metadata"]["name"])
        assert standing.state_of(bystander).state is SandboxState.RUNNING
        assert bystander == self._bystander, "the bystander was written to"

    async def _object(self, sandbox: str) -> Any:
        return next(obj for obj in await self._objects(BATCH_SANDBOXES) if obj["metadata"]["name"] == sandbox)

    async def _objects(self, resource: Resource) -> list[Any]:
        return list((await self._admin.send(list_all(resource)))["items"])


async def _become(state: Callable[[], Awaitable[object]], wanted: object) -> None:
    found = await state()
    try:
        async with asyncio.timeout(PATIENCE):
            while found != wanted:
                await asyncio.sleep(_LOOK_SECONDS)
                found = await state()
    except TimeoutError:
        raise AssertionError(f"it is {found} and does not become {wanted}") from None


def _creating(caller: Caller, key: str, *volumes: Volume) -> Callable[[LifecycleService], Awaitable[Sandbox]]:
    request = CreateSandbox(
        image=ImageSource(uri="busybox:1.36"),
        entrypoint=("sleep", "3600"),
        resource_limits={"cpu": "100m", "memory": "64Mi"},
        volumes=volumes,
    )
    return lambda service: service.create_sandbox(request, caller, key)


def _volume(name: str, *, delete: bool) -> Volume:
    claim = ClaimSource(claim_name=name, delete_on_sandbox_termination=delete)
    return Volume(name=name, mount_path=f"/{name}", claim=claim)
