"""Servers that create wrongly, or forget what an Idempotency-Key is for."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

from sandkit_server.core import creation, idempotency, snapshots
from sandkit_server.core.errors import ErrorCode, SandkitError
from sandkit_server.core.model import (
    Caller,
    CreateSandbox,
    Sandbox,
    Snapshot,
)
from sandkit_server.core.service import LifecycleService
from sandkit_server.runtimes.memory.records import WorkloadRecord
from sandkit_server.runtimes.memory.starting import Starter
from sandkit_server.testing.mutants.exchanges import Scope, answers, bodies, requests, without_field
from sandkit_server.testing.mutants.lenient import admits, renames
from sandkit_server.testing.mutants.mutant import Mutant, always, service, swap

Call = Callable[..., Any]


def _with_default_timeout(document: Any) -> Any:
    if isinstance(document, dict) and document.get("timeout") is None:
        document["timeout"] = 3600
    return document


def _null_is_empty(document: Any) -> Any:
    if isinstance(document, dict) and isinstance(document.get("env"), dict):
        document["env"] = {key: "" if value is None else value for key, value in document["env"].items()}
    return document


async def _ignore_the_key(
    real: LifecycleService, request: CreateSandbox, caller: Caller, _key: str | None = None
) -> Sandbox:
    if _key is not None:
        idempotency.derived_id("x", caller, _key)
    return await real.create_sandbox(request, caller, None)


def _remember_keys() -> Call:
    made: dict[str, Sandbox] = {}

    async def create(
        real: LifecycleService, request: CreateSandbox, caller: Caller, key: str | None = None
    ) -> Sandbox:
        known = made.get(key or "")
        if known is not None:
            try:
                await real.get_sandbox(known.id)
            except SandkitError:
                return known
        sandbox = await real.create_sandbox(request, caller, key)
        return sandbox if key is None else made.setdefault(key, sandbox)

    return create


def _drop_bad_keys(scope: Scope) -> None:
    scope["headers"] = [
        (name, value)
        for name, value in scope["headers"]
        if name != b"idempotency-key" or re.fullmatch(rb"[\x21-\x7e]{1,255}", value)
    ]


async def _snapshot_without_key(
    real: LifecycleService, sandbox_id: str, name: str | None, caller: Caller, _key: str | None = None
) -> Snapshot:
    return await real.create_snapshot(sandbox_id, name, caller, None)


def _looked_up_first() -> Call:
    made: dict[str, tuple[CreateSandbox, Sandbox]] = {}

    async def create(
        real: LifecycleService, request: CreateSandbox, caller: Caller, key: str | None = None
    ) -> Sandbox:
        if key is None:
            return await real.create_sandbox(request, caller)
        idempotency.derived_id("x", caller, key)
        if key in made:
            try:
                await real.get_sandbox(made[key][1].id)
            except SandkitError:
                del made[key]
        if key not in made:
            sandbox = await real.create_sandbox(request, caller)
            made[key] = (request, sandbox)
            return sandbox
        before, sandbox = made[key]
        if before != request:
            raise SandkitError(ErrorCode.SANDBOX_IDEMPOTENCY_KEY_REUSED, "Use a new key.")
        return sandbox

    return create


def _no_node(original: Call) -> Call:
    async def start(self: Starter, record: WorkloadRecord) -> None:
        if record.spec.request.platform is None:
            await original(self, record)
            return
        await asyncio.Event().wait()

    return start


def _in_whole_hours(document: Any) -> Any:
    if isinstance(document, dict) and document.get("timeout") == 900:
        document["timeout"] = 3600
    return document


CREATION = (
    Mutant(
        id="create-for-a-platform-waits",
        requirement="API-26",
        defect="A platform becomes a node label that no node has, and the sandbox waits for one.",
        substitutions=swap(Starter, "start", _no_node),
    ),
    Mutant(
        id="create-answers-without-its-date",
        requirement="API-26",
        defect="createdAt is set by the engine, and the answer to a create comes before.",
        alter=answers(without_field("createdAt", "POST", "/sandboxes")),
        also={"API-03": "The description has the field as required."},
    ),
    Mutant(
        id="create-rounds-the-timeout",
        requirement="API-41",
        defect="A quarter of an hour and more is rounded up to a whole hour.",
        alter=bodies("POST", "/sandboxes", _in_whole_hours),
    ),
    Mutant(
        id="create-over-a-quota-is-invalid",
        requirement="API-152",
        defect="A quota is one more rule of the request, and told like the others.",
        alter=renames(
            "create_sandbox", ErrorCode.SANDBOX_QUOTA_EXCEEDED, ErrorCode.REQUEST_INVALID_PARAMETER
        ),
    ),
    Mutant(
        id="idempotency-looked-up-before",
        requirement="API-70",
        defect="The key is looked up before the create and entered after it.",
        alter=service(create_sandbox=_looked_up_first()),
    ),
    Mutant(
        id="create-forgets-extensions",
        requirement="API-158",
        defect="The extensions of a create are acted upon and not kept.",
        alter=answers(without_field("extensions", "GET", "/sandboxes/[^/]+")),
    ),
    Mutant(
        id="create-forgets-the-platform",
        requirement="API-28",
        defect="The platform of a create is acted upon and not kept.",
        alter=answers(without_field("platform", "GET", "/sandboxes/[^/]+")),
    ),
    Mutant(
        id="create-has-a-default-lifetime",
        requirement="API-40",
        defect="A create without a timeout gets one hour.",
        alter=bodies("POST", "/sandboxes", _with_default_timeout),
    ),
    Mutant(
        id="create-keeps-null-variables",
        requirement="API-43",
        defect="A variable given as null is set, to nothing.",
        alter=bodies("POST", "/sandboxes", _null_is_empty),
    ),
    Mutant(
        id="create-from-an-unknown-snapshot-is-invalid",
        requirement="API-51",
        defect="An unknown snapshot is told as an invalid request.",
        alter=renames("create_sandbox", ErrorCode.SNAPSHOT_NOT_FOUND, ErrorCode.REQUEST_INVALID_PARAMETER),
    ),
    Mutant(
        id="create-from-an-unready-snapshot",
        requirement="API-52",
        defect="A sandbox is started from a snapshot that is still being made.",
        substitutions=admits("createSandbox"),
    ),
    Mutant(
        id="create-from-snapshot-sleeps",
        requirement="API-53",
        defect="A sandbox out of a snapshot gets an entrypoint of the server's own taste.",
        substitutions=swap(creation, "SNAPSHOT_ENTRYPOINT", lambda _original: ("sleep", "infinity")),
    ),
    Mutant(
        id="idempotency-ignored",
        requirement="API-68",
        defect="The Idempotency-Key is checked for its form and then forgotten.",
        alter=service(create_sandbox=_ignore_the_key),
        also={
            "API-69": "Nothing is known of the first use.",
            "API-70": "Each of the racing creates makes a sandbox.",
        },
    ),
    Mutant(
        id="idempotency-other-body-accepted",
        requirement="API-69",
        defect="A used Idempotency-Key gives the first sandbox, whatever is asked for now.",
        substitutions=swap(creation, "require_same", always(None)),
    ),
    Mutant(
        id="idempotency-key-never-free",
        requirement="API-71",
        defect="Answers are kept by Idempotency-Key, also when their sandbox is long gone.",
        alter=service(create_sandbox=_remember_keys()),
    ),
    Mutant(
        id="idempotency-ignored-for-snapshots",
        requirement="API-72",
        defect="Only sandboxes heed the Idempotency-Key.",
        alter=service(create_snapshot=_snapshot_without_key),
        also={"API-73": "Nothing is known of the first use."},
    ),
    Mutant(
        id="idempotency-other-snapshot-accepted",
        requirement="API-73",
        defect="A used Idempotency-Key gives the first snapshot, whatever is asked for now.",
        substitutions=swap(snapshots, "require_same", always(None)),
    ),
    Mutant(
        id="idempotency-bad-key-dropped",
        requirement="API-74",
        defect="An Idempotency-Key that cannot be used is left aside, and the create goes on without.",
        alter=requests(_drop_bad_keys),
    ),
)
