"""Leader election: of several processes, the one that holds a Lease does the work (coordination.k8s.io)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sandkit_server.core.port_errors import AlreadyExists, NotFound, PortError, VersionConflict
from sandkit_server.core.ports import Clock
from sandkit_server.kubernetes.calls import Cluster, Object, create, get, merge
from sandkit_server.kubernetes.resources import LEASES

_MICRO_TIME: Final = "%Y-%m-%dT%H:%M:%S.%fZ"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The times of an election in seconds; they have to decrease in this order.

    Attributes:
        duration: How long others wait after the last renewal they saw before they take the lease.
        deadline: How long the holder tries to renew before it stops leading.
        retry: Pause between two attempts, to acquire or to renew.
    """

    duration: float = 15.0
    deadline: float = 10.0
    retry: float = 2.0

    def __post_init__(self) -> None:
        if not self.duration > self.deadline > self.retry > 0:
            raise ValueError("a lease needs duration > deadline > retry > 0")


class Election:
    """One candidate for one Lease.

    The holder stops before anybody else may begin: it gives up ``deadline`` seconds after its last renewal
    was sent, and others take over ``duration`` seconds after they saw it. Clocks need not agree: only spans
    of the own clock are used.
    """

    def __init__(
        self, cluster: Cluster, clock: Clock, *, lease: str, identity: str, terms: Terms | None = None
    ) -> None:
        """Stand by.

        Args:
            cluster: Where the lease is; it is made when it is missing.
            clock: Measures the spans.
            lease: Its name.
            identity: Unique among the candidates, such as the pod's name and a random part.
            terms: The times.
        """
        self._cluster = cluster
        self._clock = clock
        self._lease = lease
        self._identity = identity
        self._terms = terms or Terms()
        self._seen: tuple[str, datetime] | None = None
        self._held: Object | None = None
        self._renewed_at: datetime = clock.now()

    @property
    def leading(self) -> bool:
        """Whether this candidate holds the lease, as far as it knows."""
        return self._held is not None

    async def lead(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Wait for the lease, then run ``work`` while holding it.

        Returns when ``work`` returns, or when the lease was lost: ``work`` is cancelled first, and has ended
        before this returns. Raises what ``work`` raises. The lease is released at the end, so that the next
        candidate need not wait; a crash leaves it to run out.
        """
        await self._acquire()
        tasks = [asyncio.ensure_future(part) for part in (work(), self._keep(), self._deadline())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            await self._release()
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, asyncio.CancelledError):
                raise outcome

    async def _acquire(self) -> None:
        while True:
            try:
                if await self._try_to_acquire():
                    _log.info("lease %s: leading as %s", self._lease, self._identity)
                    return
            except (VersionConflict, AlreadyExists, NotFound):
                pass  # somebody else was faster; look again after the pause
            except PortError as error:
                _log.warning("lease %s: %s", self._lease, error.message)
            await self._clock.sleep(self._terms.retry)

    async def _try_to_acquire(self) -> bool:
        sent_at = self._clock.now()
        try:
            lease = await self._cluster.send(get(LEASES, self._lease))
        except NotFound:
            body = {"metadata": {"name": self._lease}, "spec": self._spec(0, sent_at)}
            self._hold(await self._cluster.send(create(LEASES, body)), sent_at)
            return True
        if not self._is_free(lease, sent_at):
            return False
        transitions = (lease.get("spec") or {}).get("leaseTransitions") or 0
        await self._write(lease, self._spec(transitions + 1, sent_at), sent_at)
        return True

    def _is_free(self, lease: Object, now: datetime) -> bool:
        spec = lease.get("spec") or {}
        if spec.get("holderIdentity") in {None, "", self._identity}:
            return True
        version = lease["metadata"]["resourceVersion"]
        if self._seen is None or self._seen[0] != version:
            self._seen = (version, now)
        # The holder states how long it may be silent; ours is only what we state when we hold it.
        silence = spec.get("leaseDurationSeconds") or self._terms.duration
        return now - self._seen[1] >= timedelta(seconds=silence)

    async def _keep(self) -> None:
        """Renew until the lease is somebody else's."""
        while True:
            await self._clock.sleep(self._terms.retry)
            sent_at = self._clock.now()
            try:
                assert self._held is not None, "only the holder renews"
                await self._write(self._held, {"renewTime": _instant(sent_at)}, sent_at)
            except VersionConflict:
                if not await self._is_still_ours():
                    return
            except NotFound:
                _log.warning("lease %s was deleted", self._lease)
                return
            except PortError as error:
                _log.warning("lease %s: cannot renew: %s", self._lease, error.message)

    async def _is_still_ours(self) -> bool:
        """Look again after a conflict: the write of a lost answer, or an annotation by others, is no loss."""
        try:
            lease = await self._cluster.send(get(LEASES, self._lease))
        except NotFound:
            return False
        except PortError:
            return True  # unknown; the deadline decides
        if (lease.get("spec") or {}).get("holderIdentity") != self._identity:
            _log.warning("lease %s was taken by another candidate", self._lease)
            return False
        self._held = lease
        return True

    async def _deadline(self) -> None:
        """Return once the last renewal is too long ago, however long a request hangs."""
        while True:
            left = self._terms.deadline - (self._clock.now() - self._renewed_at).total_seconds()
            if left <= 0:
                _log.warning("lease %s: lost, not renewed in time", self._lease)
                return
            await self._clock.sleep(left)

    async def _release(self) -> None:
        held, self._held = self._held, None
        in_time = (self._clock.now() - self._renewed_at).total_seconds() < self._terms.deadline
        if held is None or not in_time:
            return
        patch = {"spec": {"holderIdentity": "", "renewTime": _instant(self._clock.now())}}
        try:
            await self._cluster.send(
                merge(LEASES, self._lease, patch, version=held["metadata"]["resourceVersion"])
            )
        except PortError as error:
            _log.info("lease %s: not released, it runs out: %s", self._lease, error.message)

    async def _write(self, lease: Object, spec: Mapping[str, Any], sent_at: datetime) -> None:
        version = lease["metadata"]["resourceVersion"]
        self._hold(
            await self._cluster.send(merge(LEASES, self._lease, {"spec": spec}, version=version)), sent_at
        )

    def _hold(self, lease: Object, sent_at: datetime) -> None:
        self._held = lease
        self._renewed_at = sent_at

    def _spec(self, transitions: int, now: datetime) -> Mapping[str, Any]:
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": int(self._terms.duration),
            "leaseTransitions": transitions,
            "acquireTime": _instant(now),
            "renewTime": _instant(now),
        }


def _instant(when: datetime) -> str:
    """A Kubernetes MicroTime."""
    return when.astimezone(UTC).strftime(_MICRO_TIME)
