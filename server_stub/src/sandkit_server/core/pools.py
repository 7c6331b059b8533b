"""Pools of warm sandboxes, as the operator manages them."""

from __future__ import annotations

from sandkit_server.core import validation
from sandkit_server.core.errors import ErrorCode, SandkitError, invalid_request
from sandkit_server.core.model import CreatePool, Pool, PoolCapacity
from sandkit_server.core.port_errors import AlreadyExists, PortError, VersionConflict
from sandkit_server.core.ports import PoolStore
from sandkit_server.core.translation import translate_pool


class Pools:
    """The operations on pools. Every method raises SandkitError."""

    def __init__(self, store: PoolStore) -> None:
        self._store = store

    async def create(self, pool: CreatePool) -> Pool:
        """Make a pool."""
        if faults := validation.pool_faults(pool):
            raise invalid_request(faults)
        try:
            return await self._store.create(pool)
        except AlreadyExists as error:
            message = f"A pool {pool.name} exists already."
            raise SandkitError(ErrorCode.POOL_POOL_ALREADY_EXISTS, message) from error
        except PortError as error:
            raise translate_pool(error, pool.name) from error

    async def list(self) -> tuple[Pool, ...]:
        """All pools by name."""
        try:
            return tuple(await self._store.list())
        except PortError as error:
            raise translate_pool(error, "") from error

    async def get(self, name: str) -> Pool:
        """One pool with its current counts."""
        try:
            return await self._store.get(name)
        except PortError as error:
            raise translate_pool(error, name) from error

    async def update(self, name: str, capacity: PoolCapacity) -> Pool:
        """Replace the capacity."""
        if faults := validation.capacity_faults(capacity):
            raise invalid_request(faults)
        try:
            return await self._store.set_capacity(name, capacity)
        except PortError as error:
            raise translate_pool(error, name) from error

    async def delete(self, name: str) -> None:
        """Delete a pool none of whose sandboxes is in use."""
        try:
            await self._store.delete(name)
        except VersionConflict as error:
            message = f"Pool {name} still has sandboxes in use; delete them first."
            raise SandkitError(ErrorCode.POOL_POOL_IN_USE, message) from error
        except PortError as error:
            raise translate_pool(error, name) from error
