"""A bound on how many calls are made: some at once, then so many a second."""

from __future__ import annotations

import asyncio
from datetime import datetime

from sandkit_server.core.ports import Clock
from sandkit_server.kubernetes.calls import Call, Cluster, Object


class ThrottledCluster:
    """Sends through another cluster, never faster than a rate; a token bucket.

    Whatever goes wrong here, the API server and its other clients are not drowned by it.
    """

    def __init__(self, cluster: Cluster, clock: Clock, *, rate: float, burst: int) -> None:
        """Allow ``burst`` calls at once and ``rate`` calls a second after that."""
        self._cluster = cluster
        self._clock = clock
        self._rate = rate
        self._burst = float(burst)
        self._tokens = float(burst)
        self._at: datetime = clock.now()
        self._turn = asyncio.Lock()

    @property
    def namespace(self) -> str:
        """Where every call goes."""
        return self._cluster.namespace

    async def send(self, call: Call) -> Object:
        """Carry out a call when it is its turn; see :class:`sandkit_server.kubernetes.calls.Cluster`."""
        async with self._turn:
            self._refill()
            while self._tokens < 1:
                await self._clock.sleep((1 - self._tokens) / self._rate)
                self._refill()
            self._tokens -= 1
        return await self._cluster.send(call)

    def _refill(self) -> None:
        now = self._clock.now()
        gained = (now - self._at).total_seconds() * self._rate
        self._tokens, self._at = min(self._burst, self._tokens + gained), now
