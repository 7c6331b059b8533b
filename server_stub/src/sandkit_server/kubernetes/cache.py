"""An informer: the objects of one kind in memory, as of a moment ago, kept so by a watch.

What it gives may be stale. That is safe where every write that follows from it has a precondition (version,
uid) or takes a name that can be taken once: decisions may rest on old state, effects do not.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from types import MappingProxyType
from typing import Final

from sandkit_server.core.port_errors import PortError, Unavailable
from sandkit_server.kubernetes.backoff import Backoff
from sandkit_server.kubernetes.calls import Expired, Object, list_all
from sandkit_server.kubernetes.resources import Resource
from sandkit_server.kubernetes.store import Step, Store
from sandkit_server.kubernetes.watch import Change, WatchedCluster, version_of

Listener = Callable[[Object | None, Object | None], None]

_NO_LABELS: Final[Mapping[str, str]] = MappingProxyType({})
_FIRST_DELAY: Final = 0.05
_LONGEST_DELAY: Final = 15.0

_log = logging.getLogger(__name__)


class Cache:
    """The objects of one kind in the cluster's namespace, all or those that carry ``labels``.

    Objects are shared, without ``metadata.managedFields``, and must not be changed. Use from one event loop.
    """

    def __init__(
        self,
        cluster: WatchedCluster,
        resource: Resource,
        labels: Mapping[str, str] = _NO_LABELS,
        *,
        indexed: Collection[str] = (),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Hold nothing yet.

        Args:
            cluster: Where the objects are.
            resource: Their kind.
            labels: Only objects that carry all of these.
            indexed: Label keys that :meth:`labelled` can be asked about.
            sleep: Waits so many seconds between attempts.
        """
        self.resource = resource
        self._cluster = cluster
        self._labels = labels
        self._store = Store(indexed)
        self._sleep = sleep
        self._backoff = Backoff(_FIRST_DELAY, _LONGEST_DELAY)
        self._synced = asyncio.Event()
        self._listeners: list[Listener] = []
        self._waiting: defaultdict[str, set[asyncio.Future[None]]] = defaultdict(set)
        self._version: str | None = None
        self._trouble: PortError | None = None

    # --- reading ----------------------------------------------------------------------------------------

    def get(self, name: str) -> Object | None:
        """The object of that name, if there is one."""
        return self._store.get(name)

    def items(self) -> Iterable[Object]:
        """All objects, as of the call."""
        return iter(self._store)

    def __iter__(self) -> Iterator[Object]:
        return iter(self._store)

    def __len__(self) -> int:
        return len(self._store)

    def labelled(self, key: str, value: str) -> Sequence[Object]:
        """The objects whose label ``key`` is ``value``. Raises KeyError if ``key`` is not indexed."""
        return self._store.labelled(key, value)

    @property
    def trouble(self) -> PortError | None:
        """Why the cache does not follow the cluster at present; ``None`` while it does. For health checks."""
        return self._trouble

    async def synced(self) -> None:
        """Return once the whole list was read for the first time."""
        await self._synced.wait()

    # --- changes ----------------------------------------------------------------------------------------

    def observe(self, obj: Object) -> None:
        """Take over an object out of an answer, so that what we wrote is here before the watch tells of it.

        An older state than the one held changes nothing, nor does any state of an object known to be deleted.
        """
        carried = obj["metadata"].get("labels") or {}
        if all(carried.get(key) == value for key, value in self._labels.items()):
            self._tell(self._store.apply(obj))
        else:
            self._tell(self._store.remove(obj))

    def forget(self, name: str, uid: str) -> None:
        """Take over that an object is gone for ever, out of an answer."""
        self._tell(self._store.forget(name, uid))

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` with the object before and after each change; ``None`` where there is none.

        It is called at once, inside the change, and must not block. Objects that are already here are not
        told again. Gives the function that ends it.
        """
        self._listeners.append(listener)

        def unsubscribe() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return unsubscribe

    def changed(self, name: str) -> Awaitable[None]:
        """Wait for the next change of one object, counted from the call, not from the ``await``."""
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[name].add(waiting)
        waiting.add_done_callback(lambda done: self._stop_waiting(name, done))
        return waiting

    # --- following --------------------------------------------------------------------------------------

    async def run(self) -> None:
        """List, then watch, for ever; cancel to stop. No failure ends it: the last one is in ``trouble``."""
        while True:
            try:
                if self._version is None:
                    await self._list()
                await self._watch()
            except PortError as error:
                if isinstance(error, Expired):
                    self._version = None
                await self._wait(error)
            else:
                # The API server ends each watch after some minutes; a short pause also keeps one that ends
                # at once from becoming a hot loop.
                await self._sleep(self._backoff.delay())

    async def _list(self) -> None:
        whole = await self._cluster.send(list_all(self.resource, self._labels))
        self._version = version_of(whole)
        self._tell(self._store.replace(whole["items"], self._version))
        self._synced.set()

    async def _watch(self) -> None:
        assert self._version is not None, "a list comes first"
        async with aclosing(self._cluster.watch(self.resource, self._version, self._labels)) as events:
            async for event in events:
                self._trouble = None
                if event.type == Change.DELETED:
                    self._tell(self._store.remove(event.object))
                elif event.type != Change.BOOKMARK:
                    self._tell(self._store.apply(event.object))
                version = version_of(event.object)
                if version != self._version:
                    self._version = version
                    self._backoff.reset()

    async def _wait(self, error: PortError) -> None:
        if self._trouble is None or self._trouble.message != error.message:
            _log.warning("%s: not following changes: %s", self.resource.full_name, error.message)
        self._trouble = error
        delay = self._backoff.delay()
        if isinstance(error, Unavailable) and error.retry_after > _LONGEST_DELAY:
            delay = error.retry_after
        await self._sleep(delay)

    def _tell(self, steps: Sequence[Step]) -> None:
        for before, after in steps:
            for listener in tuple(self._listeners):
                try:
                    listener(before, after)
                except Exception:  # noqa: BLE001 - one listener's mistake is not the others', nor the cache's
                    _log.exception("%s: a listener failed", self.resource.full_name)
            either = after if after is not None else before
            assert either is not None, "a step is about an object"
            for waiting in tuple(self._waiting.get(either["metadata"]["name"], ())):
                if not waiting.done():
                    waiting.set_result(None)

    def _stop_waiting(self, name: str, waiting: asyncio.Future[None]) -> None:
        others = self._waiting[name]
        others.discard(waiting)
        if not others:
            del self._waiting[name]
