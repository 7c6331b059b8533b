"""Servers that patch, renew, delete and snapshot wrongly."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sandkit_server.core import sandboxes, validation
from sandkit_server.core.errors import ErrorCode, FieldError, SandkitError, invalid_request
from sandkit_server.core.model import (
    PageRequest,
    Sandbox,
    SandboxState,
    SnapshotFilter,
)
from sandkit_server.core.policy import Policy
from sandkit_server.core.service import LifecycleService
from sandkit_server.http import handlers
from sandkit_server.runtimes.memory.controller import Controller
from sandkit_server.runtimes.memory.records import WorkloadRecord
from sandkit_server.runtimes.memory.stopping import Stopper
from sandkit_server.testing.mutants.exchanges import bodies
from sandkit_server.testing.mutants.lenient import admits, chokes, forgives
from sandkit_server.testing.mutants.mutant import Mutant, Substitution, service, swap

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
        await asyncio.sleep(0.1)
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


def _shown_as_paused() -> tuple[Substitution, ...]:
    ran: set[str] = set()

    def note(original: Call) -> Call:
        def terminate(self: Controller, record: WorkloadRecord, *why: str | None) -> None:
            if record.state is SandboxState.RUNNING and not why:
                ran.add(record.id)
            original(self, record, *why)

        return terminate

    def show(original: Call) -> Call:
        async def stop(self: Stopper, record: WorkloadRecord) -> None:
            if record.id in ran:
                sandbox = record.port.sandbox
                status = replace(sandbox.status, state=SandboxState.PAUSED)
                record.port = replace(record.port, sandbox=replace(sandbox, status=status))
                await asyncio.sleep(0.5)
            await original(self, record)

        return stop

    return (*swap(Controller, "terminate", note), *swap(Stopper, "stop", show))


def _not_in(state: SandboxState, code: ErrorCode) -> Call:
    async def delete(real: LifecycleService, sandbox_id: str) -> None:
        try:
            found = (await real.get_sandbox(sandbox_id)).status.state
        except SandkitError:
            found = None
        if found is state:
            raise SandkitError(code, f"Sandbox {sandbox_id} is {state}.")
        await real.delete_sandbox(sandbox_id)

    return delete


async def _as_it_was(real: LifecycleService, sandbox_id: str, patch: Patch) -> Sandbox:
    before = await real.get_sandbox(sandbox_id)
    after = await real.patch_metadata(sandbox_id, patch)
    return replace(after, expires_at=None) if after.metadata != before.metadata else after


def _offset_forgotten(instant: datetime, _pointer: str) -> datetime:
    return instant.replace(tzinfo=UTC)


def _whole_seconds(instant: datetime, _pointer: str) -> datetime:
    return instant.astimezone(UTC).replace(microsecond=0)


def _in_utc_by_default(document: Any) -> Any:
    if isinstance(document, dict) and re.fullmatch(r"[-\d]{10}T[:\d]{8}", str(document.get("expiresAt"))):
        document["expiresAt"] += "Z"
    return document


def _date_as_midnight(document: Any) -> Any:
    if isinstance(document, dict) and re.fullmatch(r"\d{4}-\d\d-\d\d", str(document.get("expiresAt"))):
        document["expiresAt"] += "T00:00:00Z"
    return document


def _since_1970(document: Any) -> Any:
    if isinstance(document, dict) and str(document.get("expiresAt")).isdigit():
        document["expiresAt"] = datetime.fromtimestamp(int(document["expiresAt"]), UTC).isoformat()
    return document


def _without_maximum(original: Callable[..., None]) -> Callable[..., None]:
    def check(expires_at: datetime, now: datetime, policy: Policy) -> None:
        original(expires_at, now, replace(policy, max_timeout=None))

    return check


CHANGES = (
    Mutant(
        id="delete-shows-a-pause",
        requirement="API-88",
        defect="What is scaled to nothing counts as Paused, and so does a deleted sandbox until it is gone.",
        substitutions=_shown_as_paused(),
        also={"API-90": "It looks at the way of a running sandbox that is deleted twice."},
    ),
    Mutant(
        id="delete-of-pending-put-off",
        requirement="API-90",
        defect="A sandbox that is still starting is not deleted; the caller is told to ask again.",
        alter=service(delete_sandbox=_not_in(SandboxState.PENDING, ErrorCode.REQUEST_UNAVAILABLE)),
    ),
    Mutant(
        id="delete-of-failed-not-found",
        requirement="API-90",
        defect="Of a failed sandbox there is nothing left to delete, and so it is not found.",
        alter=service(delete_sandbox=_not_in(SandboxState.FAILED, ErrorCode.SANDBOX_SANDBOX_NOT_FOUND)),
    ),
    Mutant(
        id="metadata-patch-answers-in-part",
        requirement="API-91",
        defect="The answer to a metadata patch is put together without the expiry.",
        alter=service(patch_metadata=_as_it_was),
    ),
    Mutant(
        id="metadata-patch-of-an-unknown-id-crashes",
        requirement="API-100",
        defect="An id that is not of the server's making is answered 500 when its metadata is patched.",
        alter=chokes("patch_metadata"),
    ),
    Mutant(
        id="metadata-patch-while-stopping-accepted",
        requirement="API-101",
        defect="Metadata are only labels, so a patch is accepted whatever the state is.",
        substitutions=admits("patchSandboxMetadata"),
    ),
    Mutant(
        id="renewal-forgets-the-offset",
        requirement="API-103",
        defect="Date and time of a renewal are read, and the offset is not.",
        substitutions=swap(handlers, "read_instant", lambda _original: _offset_forgotten),
    ),
    Mutant(
        id="renewal-cuts-the-fraction",
        requirement="API-103",
        defect="An expiry is kept in whole seconds.",
        substitutions=swap(handlers, "read_instant", lambda _original: _whole_seconds),
        also={"API-102": "It renews to an instant with a fraction, too."},
    ),
    Mutant(
        id="renewal-without-an-offset-accepted",
        requirement="API-104",
        defect="An instant without an offset is taken to be in UTC.",
        alter=bodies("POST", "/renew-expiration", _in_utc_by_default),
    ),
    Mutant(
        id="renewal-to-a-date-accepted",
        requirement="API-104",
        defect="A date is taken for its midnight.",
        alter=bodies("POST", "/renew-expiration", _date_as_midnight),
    ),
    Mutant(
        id="renewal-to-a-number-accepted",
        requirement="API-104",
        defect="A number is taken for the seconds since 1970.",
        alter=bodies("POST", "/renew-expiration", _since_1970),
    ),
    Mutant(
        id="renewal-of-an-unknown-id-crashes",
        requirement="API-105",
        defect="An id that is not of the server's making is answered 500 when it is renewed.",
        alter=chokes("renew"),
    ),
    Mutant(
        id="renewal-while-stopping-accepted",
        requirement="API-106",
        defect="A renewal of what is going away is acknowledged.",
        substitutions=admits("renewSandboxExpiration", "Stopping"),
    ),
    Mutant(
        id="renewal-of-failed-accepted",
        requirement="API-106",
        defect="A renewal of what has failed is acknowledged.",
        substitutions=admits("renewSandboxExpiration", "Failed"),
    ),
    Mutant(
        id="renewal-of-any-length",
        requirement="API-157",
        defect="The longest lifetime is checked at creation only.",
        substitutions=swap(validation, "check_renewal", _without_maximum),
        options=("--max-lifetime", "86400"),
        choices={"maxLifetime": 86400},
    ),
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
