"""Servers that manage pools wrongly."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sandkit_server.core import validation
from sandkit_server.core.errors import ErrorCode, FieldError, SandkitError
from sandkit_server.core.model import CreatePool, PageRequest, Pool, PoolCapacity, SandboxFilter
from sandkit_server.core.service import LifecycleService
from sandkit_server.testing.mutants.exchanges import Reply, answers, bodies
from sandkit_server.testing.mutants.lenient import forgives, renames
from sandkit_server.testing.mutants.mutant import Mutant, service, swap

Faults = Callable[..., list[FieldError]]


def _image_needed(original: Faults) -> Faults:
    def faults(request: Any, *rest: Any) -> list[FieldError]:
        found = original(request, *rest)
        if request.pool_ref is not None and request.resource_limits is None:
            found.append(FieldError("/resourceLimits", "required", "Name the resource limits."))
        return found

    return faults


def _without(*rules: str) -> Callable[[Faults], Faults]:
    def make(original: Faults) -> Faults:
        def faults(subject: Any) -> list[FieldError]:
            return [fault for fault in original(subject) if fault.rule not in rules]

        return faults

    return make


def _fixed_buffer(reply: Reply) -> None:
    if reply.is_for("POST", "/pools") and reply.status == 201:
        body = reply.json
        body["capacitySpec"]["bufferMax"] = body["capacitySpec"]["bufferMin"]
        reply.write(body)


def _repair_name(document: Any) -> Any:
    if isinstance(document, dict) and isinstance(document.get("name"), str):
        document["name"] = re.sub("[^a-z0-9]+", "-", document["name"].lower())[:63].strip("-") or "pool"
    return document


async def _create_or_update(real: LifecycleService, pool: CreatePool) -> Pool:
    try:
        return await real.create_pool(pool)
    except SandkitError as error:
        if error.code is ErrorCode.POOL_POOL_ALREADY_EXISTS:
            await real.update_pool(pool.name, pool.capacity)
        raise


async def _warm_ones(real: LifecycleService) -> tuple[Pool, ...]:
    return tuple(pool for pool in await real.list_pools() if pool.capacity.buffer_max)


async def _twice(real: LifecycleService) -> tuple[Pool, ...]:
    pools = await real.list_pools()
    return pools + tuple(pool for pool in pools if pool.status.total)


async def _only_grows(real: LifecycleService, name: str, capacity: PoolCapacity) -> Pool:
    before = (await real.get_pool(name)).capacity
    largest = replace(
        capacity,
        buffer_max=max(before.buffer_max, capacity.buffer_max),
        pool_max=max(before.pool_max, capacity.pool_max),
    )
    return await real.update_pool(name, largest)


async def _shrinks_at_any_price(real: LifecycleService, name: str, capacity: PoolCapacity) -> Pool:
    pool = await real.update_pool(name, capacity)
    if pool.status.allocated > capacity.pool_max:
        for sandbox in (await real.list_sandboxes(SandboxFilter(), PageRequest(1, 200))).items:
            if sandbox.extensions.get("poolRef") == name:
                await real.delete_sandbox(sandbox.id)
    return pool


async def _marked_only(real: LifecycleService, name: str) -> None:
    if (await real.get_pool(name)).status.allocated:
        await real.delete_pool(name)


async def _none_allocated(real: LifecycleService, name: str) -> Pool:
    pool = await real.get_pool(name)
    status = replace(pool.status, allocated=0, total=pool.status.available)
    return replace(pool, status=status)


async def _empty_list(_real: LifecycleService) -> tuple[Pool, ...]:
    return ()


POOLS = (
    Mutant(
        id="pool-create-needs-limits",
        requirement="API-32",
        defect="Resource limits are required, also where the pool has fixed them.",
        substitutions=swap(validation, "create_faults", _image_needed),
        also={"API-54": "A create out of a pool that does not exist is refused for its limits."},
    ),
    Mutant(
        id="pool-unknown-to-a-create-is-invalid",
        requirement="API-54",
        defect="A poolRef that names no pool is told as an invalid field.",
        alter=renames("create_sandbox", ErrorCode.POOL_POOL_NOT_FOUND, ErrorCode.REQUEST_INVALID_PARAMETER),
    ),
    Mutant(
        id="pool-buffer-fixed",
        requirement="API-130",
        defect="The answer to a new pool tells the size it begins with as the largest it may have.",
        alter=answers(_fixed_buffer),
    ),
    Mutant(
        id="pool-replaced-by-its-namesake",
        requirement="API-132",
        defect="A second pool of a name is refused, after its capacity was written over that of the first.",
        alter=service(create_pool=_create_or_update),
    ),
    Mutant(
        id="pool-minimum-above-maximum",
        requirement="API-133",
        defect="The bounds of a new pool are not compared with each other.",
        substitutions=swap(validation, "pool_faults", _without("range")),
    ),
    Mutant(
        id="pool-update-unchecked",
        requirement="API-133",
        defect="The bounds are compared when a pool is made, and not when it is changed.",
        substitutions=swap(validation, "capacity_faults", _without("range")),
    ),
    Mutant(
        id="pool-of-any-name",
        requirement="API-133",
        defect="A bad name of a pool is turned into a good one.",
        alter=bodies("POST", "/pools", _repair_name),
    ),
    Mutant(
        id="pool-delete-of-an-unknown-name-accepted",
        requirement="API-134",
        defect="A delete is answered 204 whether there was such a pool or not.",
        alter=forgives("delete_pool", ErrorCode.POOL_POOL_NOT_FOUND),
    ),
    Mutant(
        id="pools-without-a-buffer-not-listed",
        requirement="API-135",
        defect="The list has the pools that keep something warm.",
        alter=service(list_pools=_warm_ones),
    ),
    Mutant(
        id="pools-listed-twice",
        requirement="API-135",
        defect="The list is joined with the warm sandboxes, so that a pool comes once for each kind.",
        alter=service(list_pools=_twice),
    ),
    Mutant(
        id="pool-only-grows",
        requirement="API-136",
        defect="An update never takes from the capacity of a pool.",
        alter=service(update_pool=_only_grows),
    ),
    Mutant(
        id="pool-shrinks-at-any-price",
        requirement="API-136",
        defect="A pool that is made smaller takes back what it has given out.",
        alter=service(update_pool=_shrinks_at_any_price),
    ),
    Mutant(
        id="pool-deleted-on-paper",
        requirement="API-137",
        defect="A delete of a pool is put into a queue that nobody reads.",
        alter=service(delete_pool=_marked_only),
    ),
    Mutant(
        id="pool-in-use-delete-accepted",
        requirement="API-138",
        defect="A delete of a pool in use is accepted and put off.",
        alter=forgives("delete_pool", ErrorCode.POOL_POOL_IN_USE),
    ),
    Mutant(
        id="pool-counts-the-warm-only",
        requirement="API-139",
        defect="The counts of a pool are those of the pods that carry its label, and the label goes at use.",
        alter=service(get_pool=_none_allocated),
    ),
    Mutant(
        id="pool-exhausted-is-unavailable",
        requirement="API-140",
        defect="A pool that has nothing to give is told as an engine that does not answer.",
        alter=renames(
            "create_sandbox", ErrorCode.POOL_POOL_CAPACITY_EXHAUSTED, ErrorCode.REQUEST_UNAVAILABLE
        ),
    ),
    Mutant(
        id="pools-where-there-are-none-listed",
        requirement="API-141",
        defect="A server without pools lists none.",
        alter=service(list_pools=_empty_list),
        options=("--without", "pools"),
        lacks=("pools",),
    ),
    Mutant(
        id="pools-where-there-are-none-not-found",
        requirement="API-141",
        defect="A server without pools does not find the one that is asked for.",
        alter=renames("get_pool", ErrorCode.POOL_POOL_NOT_SUPPORTED, ErrorCode.POOL_POOL_NOT_FOUND),
        options=("--without", "pools"),
        lacks=("pools",),
    ),
)
