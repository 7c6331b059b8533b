"""`client.pools`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandkit._core.options import RequestOptions
from sandkit._core.request import path_id
from sandkit._generated import models
from sandkit._generated.operations import create_pool, delete_pool, get_pool, list_pools, update_pool

if TYPE_CHECKING:
    from sandkit._async.exchange import AsyncExchange


class AsyncPools:
    """Warm sandboxes kept ready by an operator. Take one with `client.sandboxes.create(pool=…)`.

    Every method raises NotSupportedError when the server's runtime has no pools.
    """

    def __init__(self, exchange: AsyncExchange) -> None:
        self._exchange = exchange

    async def create(
        self,
        name: str,
        *,
        template: models.PoolTemplate,
        capacity: models.PoolCapacity,
        options: RequestOptions | None = None,
    ) -> models.Pool:
        """Start to keep sandboxes of one template warm.

        The request is not sent again when its answer is lost; read the pool to see whether it was made.

        Raises:
            ConflictError: There is a pool of this name.
            BadRequestError: A value is not valid; `details` names the fields.
        """
        body = models.CreatePoolRequest(name=name, template=template, capacity_spec=capacity)
        return (await self._exchange.call(create_pool.build(body=body), create_pool.parse, options)).value

    async def get(self, name: str, *, options: RequestOptions | None = None) -> models.Pool:
        """Read a pool with its current counts.

        Raises:
            NotFoundError: There is no pool of this name.
        """
        request = get_pool.build(pool_name=path_id(name, "pool name"))
        return (await self._exchange.call(request, get_pool.parse, options)).value

    async def list(self, *, options: RequestOptions | None = None) -> tuple[models.Pool, ...]:
        """All pools, by name."""
        answer = await self._exchange.call(list_pools.build(), list_pools.parse, options)
        return tuple(answer.value.items)

    async def update(
        self, name: str, *, capacity: models.PoolCapacity, options: RequestOptions | None = None
    ) -> models.Pool:
        """Replace a pool's capacity; the template cannot be changed.

        Raises:
            NotFoundError: There is no pool of this name.
            BadRequestError: A minimum is above its maximum.
        """
        body = models.UpdatePoolRequest(capacity_spec=capacity)
        request = update_pool.build(pool_name=path_id(name, "pool name"), body=body)
        return (await self._exchange.call(request, update_pool.parse, options)).value

    async def delete(self, name: str, *, options: RequestOptions | None = None) -> None:
        """Remove a pool and its warm sandboxes.

        Raises:
            NotFoundError: There is no pool of this name.
            ConflictError: Sandboxes are still allocated from it.
        """
        request = delete_pool.build(pool_name=path_id(name, "pool name"))
        await self._exchange.call(request, delete_pool.parse, options)
