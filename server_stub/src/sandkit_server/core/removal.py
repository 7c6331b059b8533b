"""Taking sandboxes away: on a user's delete, after a failed create, when one never gets ready."""

from __future__ import annotations

import logging

from sandkit_server.core import lifecycle, ownership
from sandkit_server.core.claims import ClaimKeeper
from sandkit_server.core.model import SandboxState
from sandkit_server.core.ownership import Rollback
from sandkit_server.core.policy import Policy
from sandkit_server.core.port_errors import AlreadyExists, NotFound, PortError, VersionConflict
from sandkit_server.core.ports import Claim, WorkloadProvider
from sandkit_server.core.translation import translate, translate_delete
from sandkit_server.core.turns import Turns

_log = logging.getLogger(__name__)


class Removal:
    """The workload first; its managed claims only when that is gone (VOL-10).

    Attributes:
        turns: Taken by whoever makes or takes away a sandbox.
    """

    def __init__(
        self, workloads: WorkloadProvider, claims: ClaimKeeper, policy: Policy, turns: Turns
    ) -> None:
        self._workloads = workloads
        self._claims = claims
        self._policy = policy
        self.turns = turns

    async def delete(self, sandbox_id: str) -> None:
        """A user's delete. Raises SandkitError; an unknown id sweeps before it is refused (VOL-09)."""
        async with self.turns.of(sandbox_id):
            await self._delete(sandbox_id)

    async def _delete(self, sandbox_id: str) -> None:
        try:
            workload = await self._workloads.get(sandbox_id)
        except NotFound as error:
            await self._sweep_unless_taken(sandbox_id)
            raise lifecycle.unknown("deleteSandbox", sandbox_id) from error
        except PortError as error:
            raise translate(error) from error
        lifecycle.admit("deleteSandbox", workload.sandbox.status.state, sandbox_id)
        failure = await self._delete_workload(sandbox_id)
        if failure is not None and not ownership.may_sweep(failure):
            raise translate_delete(failure) from failure
        await self._claims.sweep(sandbox_id)

    async def roll_back(self, sandbox_id: str, rollback: Rollback) -> bool:
        """Take back a failed create as decided; whether nothing of it is left but what a sweep missed.

        The create has its turn.
        """
        if rollback is Rollback.NOTHING:
            return True
        if rollback is Rollback.SWEEP:
            await self._sweep_unless_taken(sandbox_id)
            return True
        if rollback is Rollback.DELETE_THEN_SWEEP:
            error = await self._delete_workload(sandbox_id)
            if not ownership.may_sweep(error):
                _log.error("sandbox %s: roll-back could not delete the workload: %s", sandbox_id, error)
                return False
        await self._claims.sweep(sandbox_id)
        return True

    async def give_up(self, sandbox_id: str, reason: str, message: str) -> None:
        """Fail a workload that never got ready, release what it holds, then sweep (VOL-13)."""
        async with self.turns.of(sandbox_id):
            await self._give_up(sandbox_id, reason, message)

    async def finish(self, sandbox_id: str) -> None:
        """Sweep for a delete that was accepted, unless the id has been taken again (VOL-25)."""
        async with self.turns.of(sandbox_id):
            try:
                workload = await self._workloads.get(sandbox_id)
            except NotFound:
                await self._sweep_unless_taken(sandbox_id)
                return
            if workload.sandbox.status.state is SandboxState.STOPPING:
                await self._claims.sweep(sandbox_id)

    async def reclaim(self, claim: Claim) -> None:
        """Delete a managed claim if there is no workload it belongs to (VOL-24). Raises PortError."""
        sandbox_id = ownership.manager_of(claim)
        assert sandbox_id is not None, "a managed claim names its sandbox"
        async with self.turns.of(sandbox_id):
            try:
                await self._workloads.get(sandbox_id)
            except NotFound:
                _log.info("claim %s: sandbox %s is gone, deleting the claim", claim.name, sandbox_id)
                await self._claims.discard(claim, unchanged=True)

    async def _give_up(self, sandbox_id: str, reason: str, message: str) -> None:
        for _ in range(self._policy.contention_attempts):
            try:
                workload = await self._workloads.get(sandbox_id)
                if workload.ever_ready or workload.sandbox.status.state not in _UNREADY:
                    return
                await self._workloads.abandon(sandbox_id, workload.version, reason, message)
            except VersionConflict:
                continue
            except PortError as error:
                if not ownership.may_sweep(error):
                    _log.error("sandbox %s: could not be released: %s", sandbox_id, error)
                    return
            await self._claims.sweep(sandbox_id)
            return
        _log.error("sandbox %s: kept changing, could not be released", sandbox_id)

    async def _sweep_unless_taken(self, sandbox_id: str) -> None:
        """Sweep, unless another server has made the same keyed sandbox, which then uses these claims.

        That one makes its workload first and writes it into each claim as owner next. So a claim that has not
        changed since before there was no workload is nobody's, and whoever comes later finds it gone.
        """
        for _ in range(self._policy.contention_attempts):
            claims = await self._claims.made_for(sandbox_id)
            if not claims:
                return
            gone = await self._absence(sandbox_id)
            if not ownership.may_sweep(gone):
                _log.warning("sandbox %s: its claims are kept: %s", sandbox_id, gone)
                return
            if all([await self._claims.discard(claim, unchanged=True) for claim in claims]):
                return
        _log.warning("sandbox %s: its claims kept changing, the reconciler will see to them", sandbox_id)

    async def _absence(self, sandbox_id: str) -> PortError:
        try:
            await self._workloads.get(sandbox_id)
        except PortError as error:
            return error
        return AlreadyExists(f"workload of sandbox {sandbox_id} lives")

    async def _delete_workload(self, sandbox_id: str) -> PortError | None:
        try:
            await self._workloads.delete(sandbox_id)
        except PortError as error:
            return error
        return None


_UNREADY = frozenset({SandboxState.PENDING, SandboxState.FAILED})
