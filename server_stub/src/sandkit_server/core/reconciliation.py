"""Finishing what a crash or a failed clean-up left undone, beside any number of servers."""

from __future__ import annotations

import logging
from collections.abc import Coroutine, Sequence
from typing import Any

from sandkit_server.core import ownership
from sandkit_server.core.claims import ClaimKeeper
from sandkit_server.core.creation import Creation
from sandkit_server.core.model import SandboxState
from sandkit_server.core.policy import Policy
from sandkit_server.core.port_errors import PortError
from sandkit_server.core.ports import Claim, Clock, Workload, WorkloadProvider
from sandkit_server.core.readiness import Readiness
from sandkit_server.core.removal import Removal

_log = logging.getLogger(__name__)


class Reconciler:
    """Looks at start and at intervals; every step asks the engine again before it destroys anything."""

    def __init__(
        self,
        workloads: WorkloadProvider,
        claims: ClaimKeeper,
        creation: Creation,
        readiness: Readiness,
        removal: Removal,
    ) -> None:
        self._workloads = workloads
        self._claims = claims
        self._creation = creation
        self._readiness = readiness
        self._removal = removal

    async def run(self, clock: Clock, policy: Policy) -> None:
        """Look again and again, for ever."""
        while True:
            await clock.sleep(policy.reconcile_interval)
            await self.look(clock, policy, starting=False)

    async def look(self, clock: Clock, policy: Policy, *, starting: bool) -> None:
        """One look. Whatever goes wrong is logged, and tried again at the next one."""
        await _isolated("reconciliation", self._look(clock, policy, starting=starting))

    async def _look(self, clock: Clock, policy: Policy, *, starting: bool) -> None:
        # Claims before workloads: a workload made in between must not look absent.
        managed = await self._managed()
        workloads = await self._workloads.list()
        living = {workload.sandbox.id for workload in workloads}
        born_before = ownership.oldest_possible_create(clock.now(), policy, starting=starting)
        for claim in ownership.orphaned(managed, living, self._creation.under_way, born_before):
            await _isolated(f"reclaiming claim {claim.name}", self._removal.reclaim(claim))
        for workload in workloads:
            await _isolated(f"finishing sandbox {workload.sandbox.id}", self._finish(workload, managed))

    async def _managed(self) -> list[Claim]:
        """The managed claims, or none where they cannot be listed: sandboxes are seen to all the same."""
        try:
            return await self._claims.managed()
        except PortError as error:
            _log.warning("claims are not seen to: %s", error)
            return []

    async def _finish(self, workload: Workload, managed: Sequence[Claim]) -> None:
        sandbox = workload.sandbox
        if sandbox.status.state is SandboxState.FAILED and not workload.ever_ready:
            if ownership.sweepable(managed, sandbox.id):
                reason, message = sandbox.status.reason or "Failed", sandbox.status.message or ""
                await self._removal.give_up(sandbox.id, reason, message)
            return
        if sandbox.status.state is SandboxState.PENDING:
            self._readiness.watch(sandbox.id, sandbox.created_at)
        if sandbox.status.state is SandboxState.STOPPING:
            # Its delete was accepted; whoever should have swept afterwards may have died (VOL-25).
            await self._removal.finish(sandbox.id)
        else:
            await self._own(workload, managed)

    async def _own(self, workload: Workload, managed: Sequence[Claim]) -> None:
        """Add owners that are missing, unless the id has been taken again since the look began."""
        sandbox_id, owner = workload.sandbox.id, ownership.owner_reference(workload.ref)
        if owner is not None and not ownership.claims_to_own(managed, sandbox_id, owner):
            return
        async with self._removal.turns.of(sandbox_id):
            if (await self._workloads.get(sandbox_id)).ref == workload.ref:
                await self._claims.own(workload, managed)


async def _isolated(what: str, step: Coroutine[Any, Any, None]) -> None:
    """Take a step; when it fails, the others are taken all the same."""
    try:
        await step
    except PortError as error:
        _log.warning("%s is put off: %s", what, error)
    except Exception:  # noqa: BLE001 - the looks must go on, whatever one of them met
        _log.exception("%s failed", what)
