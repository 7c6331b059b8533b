"""Servers that patch, renew, delete and snapshot wrongly."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sandkit_server.core import sandboxes, validation
from sandkit_server.core.errors import ErrorCode, FieldError, SandkitError, invalid_request
from sandkit_server.core.model import (
    PageRequest,
    Sandbox,
    SandboxState,
    SnapshotFilter,
)
from sandkit_server.core.service import LifecycleService
from sandkit_server.testing.mutants.lenient import forgives
from sandkit_server.testing.mutants.mutant import Mutant, service, swap

Call = Callable[..., Any]


Patch = Mapping[str, str | None]


async def _replace_all(real: LifecycleService, sandbox_id: str, patch: Patch) -> Sandbox:
    before = (await real.get_sandbox(sandbox_id)).metadata
    if not patch:
        return await real.patch_metadata(sandbox_id, patch)
    return await real.patch_metadata(sandbox_id, {**dict.fromkeys(before), **patch})


async def _null_means_keep(real: LifecycleService, sandbox_id: str, patch: Patch) -> Sandbox:
    kept = {key: value for key, value in patch.items() if value is not None}
    if len(kept) < len(patch):
        validation_faults = validation.patch_faults(patch)
        if validation_faults:
            raise invalid_request(validation_faults)
    return await real.patch_metadata(sandbox_id, kept)


async def _empty_means_all(real: LifecycleService, sandbox_id: str, patch: Patch) -> Sandbox:
    if patch:
        return await real.patch_metadata(sandbox_id, patch)
    before = (await real.get_sandbox(sandbox_id)).metadata
    return await real.patch_metadata(sandbox_id, dict.fromkeys(before))


async def _entry_by_entry(real: LifecycleService, sandbox_id: str, patch: Patch) -> Sandbox:
    for key, value in patch.items():
        if not validation.patch_faults({key: value}):
            await real.patch_metadata(sandbox_id, {key: value})
    return await real.patch_metadata(sandbox_id, patch)


def _lost_update() -> Call:
    async def patch(real: LifecycleService, sandbox_id: str, wanted: Patch) -> Sandbox:
        before = (await real.get_sandbox(sandbox_id)).metadata
        await asyncio.sleep(0.02)
        now = (await real.get_sandbox(sandbox_id)).metadata
        lost = {key: before.get(key) for key in now if key not in wanted}
        return await real.patch_metadata(sandbox_id, {**lost, **wanted})

    return patch


def _without_rule(*rules: str) -> Callable[[Call], Call]:
    def make(original: Call) -> Call:
        def faults(patch: Patch) -> list[FieldError]:
            return [fault for fault in original(patch) if fault.rule not in rules]

        return faults

    return make


async def _told_and_forgotten(real: LifecycleService, sandbox_id: str, expires_at: datetime) -> datetime:
    sandbox = await real.get_sandbox(sandbox_id)
    before = sandbox.expires_at
    told = await real.renew(sandbox_id, expires_at)
    if before is not None and before < told and sandbox.status.state is SandboxState.RUNNING:
        await real.renew(sandbox_id, before)
    return told


async def _own_snapshots_only(real: LifecycleService, sandbox_id: str) -> None:
    await real.delete_sandbox(sandbox_id)
    everything = await real.list_snapshots(SnapshotFilter(sandbox_id=sandbox_id), PageRequest(1, 200))
    for snapshot in everything.items:
        try:
            await real.delete_snapshot(snapshot.id)
        except SandkitError:
            continue


def _scope_ignored(original: Call) -> Call:
    def scope(text: str | None) -> Any:
        try:
            return original(text)
        except SandkitError:
            return original(None)

    return scope


CHANGES = (
    Mutant(
        id="delete-of-an-unknown-id-accepted",
        requirement="API-89",
        defect="A delete is answered 204 whether there was something or not.",
        alter=forgives("delete_sandbox", ErrorCode.SANDBOX_SANDBOX_NOT_FOUND),
        also={"VOL-09": "It expects the same 404."},
    ),
    Mutant(
        id="metadata-null-is-ignored",
        requirement="API-92",
        defect="null in a metadata patch is read as absent.",
        alter=service(patch_metadata=_null_means_keep),
    ),
    Mutant(
        id="metadata-patch-replaces",
        requirement="API-93",
        defect="A metadata patch replaces all entries.",
        alter=service(patch_metadata=_replace_all),
        also={
            "API-08": "It looks its sandbox up by an entry that the patch has removed.",
            "API-156": "Of two patches the later removes the entry of the earlier.",
        },
    ),
    Mutant(
        id="metadata-empty-patch-clears",
        requirement="API-94",
        defect="An empty metadata patch removes everything.",
        alter=service(patch_metadata=_empty_means_all),
    ),
    Mutant(
        id="metadata-reserved-prefix-accepted",
        requirement="API-95",
        defect="The reserved prefix is guarded at creation only.",
        substitutions=swap(validation, "patch_faults", _without_rule("reserved-prefix")),
    ),
    Mutant(
        id="metadata-labels-unchecked",
        requirement="API-96",
        defect="Keys and values are checked at creation only.",
        substitutions=swap(validation, "patch_faults", _without_rule("label-key", "label-value")),
    ),
    Mutant(
        id="metadata-patched-entry-by-entry",
        requirement="API-97",
        defect="A metadata patch is applied entry by entry until one is refused.",
        alter=service(patch_metadata=_entry_by_entry),
    ),
    Mutant(
        id="metadata-lost-update",
        requirement="API-156",
        defect="A metadata patch reads, merges and writes the whole map without a compare-and-set.",
        alter=service(patch_metadata=_lost_update()),
    ),
    Mutant(
        id="renewal-told-and-forgotten",
        requirement="API-102",
        defect="A renewal is answered with the new expiry, and the old one stays in force.",
        alter=service(renew=_told_and_forgotten),
        also={"API-103": "It reads the expiry back after each renewal."},
    ),
    Mutant(
        id="snapshots-go-with-their-sandbox",
        requirement="API-120",
        defect="Deleting a sandbox deletes the snapshots its users took.",
        alter=service(delete_sandbox=_own_snapshots_only),
    ),
    Mutant(
        id="diagnostics-scope-ignored",
        requirement="API-145",
        defect="A scope nobody knows counts as all.",
        substitutions=swap(sandboxes, "_scope", _scope_ignored),
    ),
)
