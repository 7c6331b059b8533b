"""Mistakes that several areas have in common: servers that accept what they should refuse."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from sandkit_server.core import lifecycle
from sandkit_server.core.errors import ErrorCode, SandkitError
from sandkit_server.core.model import Sandbox, SandboxState
from sandkit_server.core.port_errors import VersionConflict
from sandkit_server.core.ports import Workload
from sandkit_server.core.service import LifecycleService
from sandkit_server.main import Alterations
from sandkit_server.runtimes.memory.provider import MemoryWorkloads
from sandkit_server.testing.mutants.mutant import Substitution, service, swap

Call = Callable[..., Awaitable[Any]]


def shrugs(operation: str, *states: SandboxState) -> Alterations:
    """Accept ``operation`` of a sandbox in one of ``states`` and do nothing about it."""

    async def pretend(real: LifecycleService, sandbox_id: str) -> Sandbox:
        sandbox = await real.get_sandbox(sandbox_id)
        if sandbox.status.state in states:
            return sandbox
        accepted: Sandbox = await getattr(real, operation)(sandbox_id)
        return accepted

    return service(**{operation: pretend})


def forgives(operation: str, code: ErrorCode, answer: Callable[..., Any] | None = None) -> Alterations:
    """Answer success where ``operation`` fails with ``code``: nothing, or what ``answer`` makes of it."""

    async def pretend(real: LifecycleService, *arguments: Any) -> Any:
        try:
            return await getattr(real, operation)(*arguments)
        except SandkitError as error:
            if error.code is not code:
                raise
            return None if answer is None else answer(*arguments)

    return service(**{operation: pretend})


def chokes(operation: str, prefix: str = "sbx-") -> Alterations:
    """Fail as if unforeseen on an id that this server cannot have given out, instead of not finding it."""

    async def call(real: LifecycleService, identifier: str, *rest: Any) -> Any:
        if not identifier.startswith(prefix):
            raise SandkitError(ErrorCode.REQUEST_INTERNAL_ERROR, "The id could not be parsed.")
        return await getattr(real, operation)(identifier, *rest)

    return service(**{operation: call})


def renames(operation: str, code: ErrorCode, other: ErrorCode) -> Alterations:
    """Fail with ``other`` where ``operation`` should fail with ``code``."""

    async def call(real: LifecycleService, *arguments: Any) -> Any:
        try:
            return await getattr(real, operation)(*arguments)
        except SandkitError as error:
            if error.code is code:
                raise SandkitError(other, error.message) from error
            raise

    return service(**{operation: call})


def admits(operation: str, *states: str) -> tuple[Substitution, ...]:
    """Let ``operation`` pass in ``states``, or in every state, whatever the table says."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def admit(wanted: str, state: str, subject: str) -> Any:
            if wanted == operation and (not states or state in states):
                return None
            return original(wanted, state, subject)

        return admit

    return swap(lifecycle, "admit", make)


def losers_win(state: SandboxState) -> tuple[Substitution, ...]:
    """Take a lost compare-and-set for a success when somebody else has begun what leads to ``state``."""

    def make(original: Call) -> Call:
        async def intend(
            self: MemoryWorkloads, sandbox_id: str, version: str, source: SandboxState, target: SandboxState
        ) -> Workload:
            try:
                workload: Workload = await original(self, sandbox_id, version, source, target)
            except VersionConflict:
                record = self._engine.workloads.find(sandbox_id)
                if record is not None and record.state is target is state:
                    return record.port
                raise
            return workload

        return intend

    return swap(MemoryWorkloads, "_intend", make)
