"""Carries out the decisions of :mod:`sandkit_server.core.ownership` on whatever holds the claims."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from sandkit_server.core import ownership
from sandkit_server.core.errors import SandkitError
from sandkit_server.core.model import Volume
from sandkit_server.core.ownership import ClaimPlan, Proceed, Refusal
from sandkit_server.core.policy import Policy
from sandkit_server.core.port_errors import AlreadyExists, NotFound, PortError, Unsupported, VersionConflict
from sandkit_server.core.ports import Claim, ClaimStore, ClaimTemplate, Workload

_log = logging.getLogger(__name__)


class ClaimKeeper:
    """Inspects, makes, owns and sweeps the claims of sandboxes."""

    def __init__(self, store: ClaimStore, policy: Policy) -> None:
        self._store = store
        self._policy = policy

    async def plan(self, sandbox_id: str, volumes: Iterable[Volume]) -> ClaimPlan:
        """Read every claim of the request and decide; raises SandkitError before anything is made."""
        wanted = ownership.requested_claims(volumes)
        existing = {name: await self._inspect(name) for name in wanted}
        return _accepted_plan(ownership.plan_claims(sandbox_id, wanted, existing, self._policy))

    async def make(self, sandbox_id: str, plan: ClaimPlan) -> list[Claim]:
        """Make the planned claims; returns the managed ones. Raises SandkitError at the first refusal."""
        managed = list(plan.ours)
        for template in plan.create:
            claim = await self._make_one(sandbox_id, template)
            if claim is not None and ownership.manager_of(claim) == sandbox_id:
                managed.append(claim)
        return managed

    async def own(self, workload: Workload, managed: Iterable[Claim]) -> Sequence[str]:
        """Add the owner edge where it is missing; gives the names of claims that are no more.

        Best effort: the sweep stays the fallback (VOL-11).
        """
        owner = ownership.owner_reference(workload.ref)
        sandbox_id = workload.sandbox.id
        lost: list[str] = []
        if owner is None:
            _log.warning("sandbox %s: no owner references, the provider told too little", sandbox_id)
            return lost
        for claim in ownership.claims_to_own(managed, sandbox_id, owner):
            try:
                if (await self._store.add_owner(claim.name, claim.uid, owner)).terminating:
                    lost.append(claim.name)
            except Unsupported:
                break
            except NotFound:
                lost.append(claim.name)
            except Exception as error:  # noqa: BLE001 - best effort, whatever comes
                _note(f"sandbox {sandbox_id}: claim {claim.name} got no owner", error)
        return lost

    async def sweep(self, sandbox_id: str) -> None:
        """Delete what was made for a sandbox that is gone. Failures are logged and left to the reconciler."""
        for claim in await self.made_for(sandbox_id):
            await self.discard(claim)

    async def made_for(self, sandbox_id: str) -> Sequence[Claim]:
        """What was made for a sandbox, for a sweep; nothing where that cannot be told, which is logged."""
        try:
            claims = await self._store.list(ownership.management_labels(sandbox_id))
        except Exception as error:  # noqa: BLE001 - a sweep never fails the call it belongs to (VOL-11)
            _note(f"sandbox {sandbox_id}: claims could not be listed for the sweep", error)
            return ()
        return ownership.sweepable(claims, sandbox_id)

    async def discard(self, claim: Claim, *, unchanged: bool = False) -> bool:
        """Delete one managed claim, with ``unchanged`` only as it was read; whether that settles it.

        One that is gone already counts as done, one that cannot be deleted is logged. Only one that has
        changed since has to be looked at anew.
        """
        if claim.terminating:
            return True
        try:
            await self._store.delete(claim.name, claim.uid, claim.version if unchanged else None)
        except NotFound:
            return True
        except VersionConflict:
            return False
        except Exception as error:  # noqa: BLE001 - a sweep never fails the call it belongs to (VOL-11)
            _note(f"claim {claim.name} could not be deleted", error)
        return True

    async def managed(self) -> list[Claim]:
        """The managed claims of all sandboxes. Raises PortError."""
        return list(await self._store.list(ownership.managed_claims_selector()))

    async def _inspect(self, name: str) -> Claim | None:
        try:
            return await self._store.get(name)
        except NotFound:
            return None
        except PortError as error:
            raise refused(ownership.after_read_error(name, error)) from error

    async def _make_one(self, sandbox_id: str, template: ClaimTemplate) -> Claim | None:
        try:
            return await self._store.create(template)
        except AlreadyExists:
            return await self._lost_race(sandbox_id, template.name)
        except PortError as error:
            decision = ownership.after_create_error(template.name, error)
            _follow(decision, error)
            return None

    async def _lost_race(self, sandbox_id: str, name: str) -> Claim | None:
        try:
            reread = await self._store.get(name)
        except PortError as error:
            _follow(ownership.after_lost_race(sandbox_id, name, error), error)
            return None
        _follow(ownership.after_lost_race(sandbox_id, name, reread), None)
        return reread


def _follow(decision: Proceed | Refusal, cause: Exception | None) -> None:
    if isinstance(decision, Refusal):
        raise refused(decision) from cause
    if decision.warning:
        _log.warning("%s", decision.warning)


def _note(what: str, error: Exception) -> None:
    """An engine's refusal is a line in the log, an unforeseen failure a trace."""
    if isinstance(error, PortError):
        _log.warning("%s: %s", what, error)
    else:
        _log.error("%s", what, exc_info=error)


def _accepted_plan(decision: ClaimPlan | Refusal) -> ClaimPlan:
    if isinstance(decision, Refusal):
        raise refused(decision)
    return decision


def refused(refusal: Refusal) -> SandkitError:
    """The answer that a refusal is."""
    return SandkitError(refusal.code, refusal.message, retry_after=refusal.retry_after)
