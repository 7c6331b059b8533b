"""Objects of one kind as one server process reaches them: read from its cache, written through it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from sandkit_server.core.port_errors import NotFound, VersionConflict
from sandkit_server.kubernetes import calls
from sandkit_server.kubernetes.cache import Cache
from sandkit_server.kubernetes.calls import Cluster, Object, Propagation
from sandkit_server.kubernetes.resources import Resource


class Objects:
    """Reads cost nothing while the cache has the object, and every answer goes into the cache.

    So this process reads what it wrote, and a change that lost its compare-and-set is next based on what is
    then true. Every method raises the errors of :mod:`sandkit_server.core.port_errors`.
    """

    def __init__(self, cluster: Cluster, cache: Cache) -> None:
        self._cluster = cluster
        self._cache = cache

    @property
    def resource(self) -> Resource:
        """Their kind."""
        return self._cache.resource

    def __iter__(self) -> Iterator[Object]:
        return iter(self._cache)

    def known(self, name: str) -> Object | None:
        """The object as the cache has it; one made elsewhere a moment ago may be missing."""
        return self._cache.get(name)

    def changed(self, name: str) -> asyncio.Future[None]:
        """Done at the next change of one object, counted from the call; cancel it when no longer wanted."""
        return asyncio.ensure_future(self._cache.changed(name))

    async def get(self, name: str) -> Object:
        """The object out of the cache; one it does not have is asked for before it counts as absent."""
        known = self._cache.get(name)
        return known if known is not None else await self.read(name)

    async def read(self, name: str) -> Object:
        """The object as the API server has it now."""
        try:
            return self._seen(await self._cluster.send(calls.get(self.resource, name)))
        except NotFound:
            self._gone(name)
            raise

    async def create(self, body: Object) -> Object:
        """Make an object."""
        return self._seen(await self._cluster.send(calls.create(self.resource, body)))

    async def change(self, name: str, version: str, patch: Object) -> Object:
        """Merge ``patch`` into the object, only at ``version``."""
        try:
            return self._seen(
                await self._cluster.send(calls.merge(self.resource, name, patch, version=version))
            )
        except VersionConflict:
            # Who tries again must not be served the state that has just proved to be old.
            await self.read(name)
            raise
        except NotFound:
            self._gone(name)
            raise

    async def replace(self, name: str, patch: Object) -> Object:
        """Merge ``patch`` into the object, whatever its version."""
        try:
            return self._seen(await self._cluster.send(calls.merge(self.resource, name, patch)))
        except NotFound:
            self._gone(name)
            raise

    async def delete(
        self,
        name: str,
        version: str | None = None,
        *,
        uid: str | None = None,
        wait_for_dependents: bool = False,
    ) -> None:
        """Delete the object, only at ``version`` or of ``uid`` if they are given.

        With ``wait_for_dependents`` it stays, marked as deleted, until everything it owns is gone.
        """
        propagation = Propagation.FOREGROUND if wait_for_dependents else Propagation.BACKGROUND
        call = calls.delete(self.resource, name, uid=uid, version=version, propagation=propagation)
        try:
            answer = await self._cluster.send(call)
        except VersionConflict:
            await self.read(name)
            raise
        except NotFound:
            self._gone(name)
            raise
        if answer.get("kind") == self.resource.kind and "deletionTimestamp" in answer["metadata"]:
            self._cache.observe(answer)
        else:
            self._gone(name)

    def _seen(self, obj: Object) -> Object:
        self._cache.observe(obj)
        held = self._cache.get(obj["metadata"]["name"])
        if held is not None and held["metadata"]["resourceVersion"] == obj["metadata"]["resourceVersion"]:
            return held
        return obj

    def _gone(self, name: str) -> None:
        known = self._cache.get(name)
        if known is not None:
            self._cache.forget(name, known["metadata"]["uid"])
