"""Watching new workloads until they run, or giving them up when the operator's time is over."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta

from sandkit_server.core.policy import Policy
from sandkit_server.core.port_errors import NeverReady, NotFound, PortError
from sandkit_server.core.ports import Clock, WorkloadProvider
from sandkit_server.core.removal import Removal
from sandkit_server.core.supervision import Supervisor

TIMEOUT_REASON = "ReadyTimeout"
_RETRY_SECONDS = 1.0

_log = logging.getLogger(__name__)


class Readiness:
    """At most one watch per sandbox; a watch ends when its sandbox has left Pending."""

    def __init__(
        self,
        workloads: WorkloadProvider,
        removal: Removal,
        clock: Clock,
        policy: Policy,
        supervisor: Supervisor,
    ) -> None:
        self._workloads = workloads
        self._removal = removal
        self._clock = clock
        self._policy = policy
        self._supervisor = supervisor
        self._watched: set[str] = set()

    def watch(self, sandbox_id: str, created_at: datetime) -> None:
        """Watch in the background; a sandbox that is watched already is left to that watch."""
        if sandbox_id not in self._watched:
            self._watched.add(sandbox_id)
            self._supervisor.spawn(f"readiness of {sandbox_id}", self._watch(sandbox_id, created_at))

    async def await_ready(self, sandbox_id: str, created_at: datetime) -> None:
        """Return when the workload has left Pending. Raises NeverReady, also when time is over."""
        deadline = created_at + timedelta(seconds=self._policy.ready_timeout)
        while True:
            try:
                return await self._await_until(sandbox_id, deadline)
            except NotFound:
                return None
            except NeverReady:
                raise
            except PortError as error:
                _log.warning("sandbox %s: readiness cannot be seen: %s", sandbox_id, error)
                await self._clock.sleep(_RETRY_SECONDS)

    async def _watch(self, sandbox_id: str, created_at: datetime) -> None:
        try:
            await self.await_ready(sandbox_id, created_at)
        except NeverReady as failure:
            await self._removal.give_up(sandbox_id, failure.reason, failure.message)
        except Exception:  # noqa: BLE001 - whatever it is, the sandbox must not stay Pending
            _log.exception("sandbox %s: the readiness watch failed", sandbox_id)
            await self._removal.give_up(sandbox_id, "InternalError", "The server failed while starting it.")
        finally:
            self._watched.discard(sandbox_id)

    async def _last_words(self, sandbox_id: str) -> str:
        """Why it is still Pending, as far as the engine tells."""
        try:
            status = (await self._workloads.get(sandbox_id)).sandbox.status
        except PortError:
            return ""
        told = ": ".join(part for part in (status.reason, status.message) if part)
        return f" Its last word: {told}" if told else ""

    async def _await_until(self, sandbox_id: str, deadline: datetime) -> None:
        left = (deadline - self._clock.now()).total_seconds()
        ready = asyncio.ensure_future(self._workloads.wait_ready(sandbox_id))
        timer = asyncio.ensure_future(self._clock.sleep(max(left, 0.0)))
        try:
            await asyncio.wait({ready, timer}, return_when=asyncio.FIRST_COMPLETED)
            if not ready.done():
                message = f"The workload was not ready within {self._policy.ready_timeout:g} seconds."
                raise NeverReady(TIMEOUT_REASON, message + await self._last_words(sandbox_id))
            await ready
        finally:
            ready.cancel()
            timer.cancel()
