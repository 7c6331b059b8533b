"""Carrying decisions out: look, decide, make the one call, take over its answer, and look again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Protocol

from sandkit_server.controller.config import Config
from sandkit_server.controller.decision import NO_FACTS, Decision, Facts, Note, learn
from sandkit_server.controller.decisions import pool, sandbox, snapshot
from sandkit_server.controller.views import Reader, Readers, pool_view, sandbox_view, snapshot_view
from sandkit_server.core.port_errors import (
    AlreadyExists,
    NotFound,
    PortError,
    Unavailable,
    VersionConflict,
)
from sandkit_server.core.ports import Clock
from sandkit_server.kubernetes.calls import Call, Cluster, Misconfigured, Object, Verb, get
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES, POOLS, SNAPSHOTS, Resource

# More than any object needs at once; a decision that never rests is a defect, and must not spin.
_MOST_STEPS: Final = 20

_log = logging.getLogger(__name__)


class Written(Reader, Protocol):
    """A reader that takes over the answers of writes; :class:`sandkit_server.kubernetes.cache.Cache`."""

    def observe(self, obj: Object) -> None:
        """Take over an object out of an answer."""
        ...

    def forget(self, name: str, uid: str) -> None:
        """Take over that an object is gone for ever."""
        ...


class Tell(Protocol):
    """Tells people what happened to an object, as well as it can and without holding up anything."""

    def __call__(self, resource: Resource, obj: Object, note: Note) -> None:
        """Tell ``note`` about ``obj``."""
        ...


@dataclass(frozen=True, slots=True)
class Kind:
    """What is reconciled: how to look at one object of it, and how to decide about it."""

    resource: Resource
    view: Callable[[Readers, str, Facts], Any]
    decide: Callable[[Any, datetime, Config], Decision]
    subject: Callable[[Any], Object]


KINDS: Final[Mapping[str, Kind]] = {
    kind.resource.kind: kind
    for kind in (
        Kind(BATCH_SANDBOXES, sandbox_view, sandbox.decide, lambda view: view.sandbox),
        Kind(SNAPSHOTS, snapshot_view, snapshot.decide, lambda view: view.snapshot),
        Kind(POOLS, pool_view, pool.decide, lambda view: view.pool),
    )
}


class Result(StrEnum):
    """How a pass ended."""

    RESTED = "rested"
    STALE = "stale"
    REFUSED = "refused"
    UNAVAILABLE = "unavailable"
    RESTLESS = "restless"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a pass, and after how many seconds to look again at the latest.

    After anything but ``RESTED`` the object is looked at again soon, whatever the seconds say.
    """

    result: Result
    again_after: float | None = None


class Reconciler:
    """Brings objects step by step to where they should be, until there is nothing to do for now.

    It keeps nothing between two passes: killed anywhere, the next one goes on from what it finds.
    """

    def __init__(
        self,
        cluster: Cluster,
        caches: Mapping[Resource, Written],
        readers: Readers,
        clock: Clock,
        config: Config,
        tell: Tell,
    ) -> None:
        """Collaborators.

        Args:
            cluster: Carries out the calls.
            caches: Takes over their answers, where there is one for the kind.
            readers: The same caches, by role.
            clock: Tells the time of a decision.
            config: The operator's.
            tell: Tells people.
        """
        self._cluster = cluster
        self._caches = caches
        self._readers = readers
        self._clock = clock
        self._config = config
        self._tell = tell

    async def reconcile(self, kind: Kind, name: str) -> Outcome:
        """One pass over one object. Raises only what is a defect."""
        step = _Step(self._cluster, self._caches, self._tell, kind)
        for _ in range(_MOST_STEPS):
            view = kind.view(self._readers, name, step.facts)
            if view is None:
                return Outcome(Result.RESTED)
            decision = kind.decide(view, self._clock.now(), self._config)
            if decision.call is None or step.was_refused(decision.call):
                result = Result.RESTED if step.facts.refusal is None else Result.REFUSED
                return Outcome(result, decision.requeue_after)
            ended = await step.take(view, decision.call, decision.note)
            if ended is not None:
                again = step.retry_after if step.retry_after is not None else decision.requeue_after
                return Outcome(ended, again)
        _log.error("%s %s does not come to rest", kind.resource.kind, name)
        return Outcome(Result.RESTLESS)


class _Step:
    """The calls of one pass, and what was learnt from them.

    Attributes:
        facts: For the next decision.
        retry_after: Seconds that the API server asks to wait.
    """

    def __init__(self, cluster: Cluster, caches: Mapping[Resource, Written], tell: Tell, kind: Kind) -> None:
        self.facts = NO_FACTS
        self.retry_after: float | None = None
        self._cluster = cluster
        self._caches = caches
        self._tell = tell
        self._kind = kind
        self._sought = False

    async def take(self, view: Any, call: Call, note: Note | None) -> Result | None:
        """Make a call; gives how the pass ends when it cannot go on from here."""
        try:
            answer = await self._send(call)
        except AlreadyExists as error:
            return await self._taken(call, error)
        except VersionConflict:
            return Result.STALE
        except Unavailable as error:
            self.retry_after = error.retry_after
            return Result.UNAVAILABLE
        except PortError as error:
            self._refused(view, call, error)
            return None
        self.facts = learn(self.facts, call, answer)
        if note is not None:
            self._tell(self._kind.resource, self._kind.subject(view), note)
        # What a delete leads to takes its time; the watch brings the object back here.
        return Result.RESTED if call.verb is Verb.DELETE else None

    def was_refused(self, call: Call) -> bool:
        """Whether a decision insists on a call that was just refused; it needs time then, not repetition."""
        return self.facts.refusal is not None and self.facts.refusal.call == call

    async def _send(self, call: Call) -> Object:
        answer = await self._cluster.send(call)
        cache = self._caches.get(call.resource)
        if cache is not None and answer.get("kind") != "Status":
            cache.observe(answer)
        return answer

    async def _taken(self, call: Call, error: AlreadyExists) -> Result | None:
        """The name is taken: by us, when an answer was lost, or by others. A fresh read tells, once."""
        if self._sought:
            self.facts = learn(self.facts, call, error)
            return None
        self._sought = True
        try:
            await self._send(get(call.resource, call.name))
        except PortError:
            return Result.STALE
        return None

    def _refused(self, view: Any, call: Call, error: PortError) -> None:
        if isinstance(error, NotFound) and call.verb in (Verb.PATCH, Verb.DELETE):
            self._forget(call)
            return
        if call.verb is not Verb.GET:
            what = f"{call.verb} {call.resource.full_name}/{call.name}"
            level = logging.WARNING if isinstance(error, Misconfigured) else logging.INFO
            _log.log(level, "%s: refused: %s", what, error.message)
            note = Note(reason="CallRefused", message=f"{what}: {error.message}", warning=True)
            self._tell(self._kind.resource, self._kind.subject(view), note)
        self.facts = learn(self.facts, call, error)

    def _forget(self, call: Call) -> None:
        """The object of a write is gone, which is then known here as well."""
        cache = self._caches.get(call.resource)
        known = None if cache is None else cache.get(call.name)
        if cache is not None and known is not None:
            cache.forget(call.name, call.uid or known["metadata"]["uid"])
