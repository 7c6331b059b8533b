"""Writes down what a foreign controller shows only for a moment: that a sandbox has been up."""

from __future__ import annotations

import logging
from collections.abc import Callable

from sandkit_server.core.port_errors import PortError
from sandkit_server.core.supervision import Supervisor
from sandkit_server.kubernetes.cache import Cache
from sandkit_server.kubernetes.calls import Object
from sandkit_server.kubernetes.watch import version_of
from sandkit_server.runtimes.kubernetes.kind import Patch
from sandkit_server.runtimes.kubernetes.objects import Objects

_log = logging.getLogger(__name__)


class Witness:
    """Follows a cache and patches an object whenever ``testimony`` has something to add to it.

    Any number of servers may do so: the first write wins, the others find nothing to add any more.
    """

    def __init__(
        self,
        cache: Cache,
        objects: Objects,
        testimony: Callable[[Object], Patch | None],
        supervisor: Supervisor,
    ) -> None:
        self._objects = objects
        self._testimony = testimony
        self._supervisor = supervisor
        self._writing: set[str] = set()
        cache.subscribe(self._changed)

    def _changed(self, before: Object | None, after: Object | None) -> None:  # noqa: ARG002
        if after is None or self._testimony(after) is None:
            return
        name = after["metadata"]["name"]
        if name not in self._writing:
            self._writing.add(name)
            self._supervisor.spawn(f"testimony about {name}", self._write(name))

    async def _write(self, name: str) -> None:
        try:
            while (obj := self._objects.known(name)) is not None and (patch := self._testimony(obj)):
                await self._objects.change(name, version_of(obj), patch)
        except PortError as error:
            # The next change of the object is another chance.
            _log.debug("%s: nothing was added: %s", name, error)
        finally:
            self._writing.discard(name)
