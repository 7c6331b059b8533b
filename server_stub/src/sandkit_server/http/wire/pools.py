"""Pools, both ways."""

from __future__ import annotations

from sandkit_server._generated import models
from sandkit_server.core.model import CreatePool, Pool, PoolCapacity, PoolContainer, PoolTemplate
from sandkit_server.http.wire.absence import given

__all__ = ["read_capacity", "read_create_pool", "write_pool"]


def read_create_pool(wire: models.CreatePoolRequest) -> CreatePool:
    """A pool to be made, in the core's terms."""
    labels = given(wire.template.metadata)
    return CreatePool(
        name=wire.name,
        template=PoolTemplate(
            containers=tuple([_read_container(container) for container in wire.template.spec.containers]),
            labels=(given(labels.labels) if labels else None) or {},
            annotations=(given(labels.annotations) if labels else None) or {},
        ),
        capacity=read_capacity(wire.capacity_spec),
    )


def read_capacity(wire: models.PoolCapacity) -> PoolCapacity:
    """The sizes asked for; that a minimum is not above its maximum is for the core to check."""
    return PoolCapacity(
        buffer_min=wire.buffer_min,
        buffer_max=wire.buffer_max,
        pool_min=wire.pool_min,
        pool_max=wire.pool_max,
    )


def write_pool(pool: Pool) -> models.Pool:
    """The pool with its current counts. Its template is not given back: an environment may hold secrets."""
    return models.Pool(
        name=pool.name,
        capacity_spec=models.PoolCapacity(
            buffer_min=pool.capacity.buffer_min,
            buffer_max=pool.capacity.buffer_max,
            pool_min=pool.capacity.pool_min,
            pool_max=pool.capacity.pool_max,
        ),
        status=models.PoolStatus(
            total=pool.status.total,
            allocated=pool.status.allocated,
            available=pool.status.available,
            revision=pool.status.revision,
        ),
        created_at=pool.created_at,
    )


def _read_container(wire: models.PoolContainer) -> PoolContainer:
    resources = given(wire.resources)
    return PoolContainer(
        image=wire.image,
        name=given(wire.name),
        command=tuple(given(wire.command) or ()),
        args=tuple(given(wire.args) or ()),
        env={variable.name: given(variable.value) or "" for variable in given(wire.env) or ()},
        resource_limits=(given(resources.limits) if resources else None) or {},
        resource_requests=(given(resources.requests) if resources else None) or {},
    )
