"""Reading sandboxes and changing those that exist, each change as a compare-and-set on what was read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

from sandkit_server.core import lifecycle, validation
from sandkit_server.core.errors import ErrorCode, FieldError, SandkitError, invalid_request
from sandkit_server.core.model import Endpoint, EndpointQuery, Page, PageRequest, Sandbox, SandboxFilter
from sandkit_server.core.paging import paginate
from sandkit_server.core.policy import Policy
from sandkit_server.core.port_errors import Invalid, NotFound, PortError, VersionConflict
from sandkit_server.core.ports import Clock, DiagnosticsScope, Workload, WorkloadProvider
from sandkit_server.core.translation import translate, unavailable

PORTS = range(1, 65_536)


class Sandboxes:
    """The operations on existing sandboxes. Every method raises SandkitError."""

    def __init__(self, workloads: WorkloadProvider, clock: Clock, policy: Policy) -> None:
        self._workloads = workloads
        self._clock = clock
        self._policy = policy

    async def get(self, sandbox_id: str) -> Sandbox:
        """The sandbox as it is now."""
        return (await self._admitted("getSandbox", sandbox_id)).sandbox

    async def list(self, selection: SandboxFilter, page: PageRequest) -> Page[Sandbox]:
        """One page of those selected, in order of creation and then of id."""
        try:
            workloads = await self._workloads.list()
        except PortError as error:
            raise translate(error) from error
        states = {state.casefold() for state in selection.states}
        wanted = selection.metadata.items()
        found = [
            workload.sandbox
            for workload in workloads
            if (not states or workload.sandbox.status.state.casefold() in states)
            and wanted <= workload.sandbox.metadata.items()
        ]
        found.sort(key=lambda sandbox: (sandbox.created_at, sandbox.id))
        return paginate(found, page)

    async def patch_metadata(self, sandbox_id: str, patch: Mapping[str, str | None]) -> Sandbox:
        """Merge ``patch`` into the metadata (RFC 7396), whole or not at all."""
        if faults := validation.patch_faults(patch):
            raise invalid_request(faults)

        async def merge(workload: Workload) -> Workload:
            before = workload.sandbox.metadata
            merged = {**before, **patch}
            after = {key: value for key, value in merged.items() if value is not None}
            if after == before:
                return workload
            return await self._workloads.set_metadata(sandbox_id, workload.version, after)

        return (await self._change("patchSandboxMetadata", sandbox_id, merge)).sandbox

    async def pause(self, sandbox_id: str) -> Sandbox:
        """Begin to pause."""

        async def request(workload: Workload) -> Workload:
            if workload.replicas != 1:
                message = (
                    f"Only a sandbox of one replica can be paused; {sandbox_id} has {workload.replicas}."
                )
                raise SandkitError(ErrorCode.SANDBOX_INVALID_STATE, message)
            return await self._workloads.request_pause(sandbox_id, workload.version)

        return await self._change_pause("pauseSandbox", sandbox_id, request)

    async def resume(self, sandbox_id: str) -> Sandbox:
        """Begin to resume."""

        async def request(workload: Workload) -> Workload:
            return await self._workloads.request_resume(sandbox_id, workload.version)

        return await self._change_pause("resumeSandbox", sandbox_id, request)

    async def renew(self, sandbox_id: str, expires_at: datetime) -> datetime:
        """Move the expiry; a sandbox without one has none to move (TTL-04)."""

        async def move(workload: Workload) -> Workload:
            if workload.sandbox.expires_at is None:
                message = f"Sandbox {sandbox_id} has no automatic expiry to renew."
                raise SandkitError(ErrorCode.SANDBOX_NO_AUTOMATIC_EXPIRATION, message)
            validation.check_renewal(expires_at, self._clock.now(), self._policy)
            return await self._workloads.set_expiry(sandbox_id, workload.version, expires_at)

        changed = await self._change("renewSandboxExpiration", sandbox_id, move)
        return changed.sandbox.expires_at or expires_at

    async def endpoint(self, sandbox_id: str, query: EndpointQuery) -> Endpoint:
        """Where a port can be reached."""
        _check_endpoint(query, self._clock.now())
        await self._admitted("getSandboxEndpoint", sandbox_id)
        try:
            return await self._workloads.endpoint(sandbox_id, query)
        except NotFound as error:
            raise lifecycle.unknown("getSandboxEndpoint", sandbox_id) from error
        except PortError as error:
            raise translate(error) from error

    async def logs(self, sandbox_id: str, scope: str | None) -> str:
        """What was printed."""
        return await self._diagnose("getSandboxLogs", sandbox_id, scope, self._workloads.logs)

    async def events(self, sandbox_id: str, scope: str | None) -> str:
        """What happened."""
        return await self._diagnose("getSandboxEvents", sandbox_id, scope, self._workloads.events)

    async def _diagnose(
        self,
        operation: str,
        sandbox_id: str,
        scope: str | None,
        read: Callable[[str, DiagnosticsScope], Awaitable[str]],
    ) -> str:
        part = _scope(scope)
        await self._admitted(operation, sandbox_id)
        try:
            return await read(sandbox_id, part)
        except NotFound as error:
            raise lifecycle.unknown(operation, sandbox_id) from error
        except PortError as error:
            raise translate(error) from error

    async def _change_pause(
        self, operation: str, sandbox_id: str, request: Callable[[Workload], Awaitable[Workload]]
    ) -> Sandbox:
        if self._workloads.capabilities.pause is None:
            await self._read(operation, sandbox_id)
            message = "This runtime cannot pause sandboxes; nothing was changed."
            raise SandkitError(ErrorCode.SANDBOX_API_NOT_SUPPORTED, message)
        return (await self._change(operation, sandbox_id, request)).sandbox

    async def _change(
        self, operation: str, sandbox_id: str, act: Callable[[Workload], Awaitable[Workload]]
    ) -> Workload:
        """Read, admit, act; who loses the compare-and-set is judged again by what is then true."""
        for _ in range(self._policy.contention_attempts):
            workload = await self._admitted(operation, sandbox_id)
            try:
                return await act(workload)
            except VersionConflict:
                continue
            except NotFound as error:
                raise lifecycle.unknown(operation, sandbox_id) from error
            except Invalid as error:
                raise SandkitError(ErrorCode.SANDBOX_INVALID_STATE, error.message) from error
            except PortError as error:
                raise translate(error) from error
        raise unavailable(f"Sandbox {sandbox_id} kept changing; nothing was done.")

    async def _admitted(self, operation: str, sandbox_id: str) -> Workload:
        workload = await self._read(operation, sandbox_id)
        lifecycle.admit(operation, workload.sandbox.status.state, sandbox_id)
        return workload

    async def _read(self, operation: str, sandbox_id: str) -> Workload:
        try:
            return await self._workloads.get(sandbox_id)
        except NotFound as error:
            raise lifecycle.unknown(operation, sandbox_id) from error
        except PortError as error:
            raise translate(error) from error


def _scope(scope: str | None) -> DiagnosticsScope:
    try:
        return DiagnosticsScope(scope) if scope is not None else DiagnosticsScope.ALL
    except ValueError as error:
        code = ErrorCode.DIAGNOSTICS_UNKNOWN_SCOPE
        message = f"The scope is one of {', '.join(DiagnosticsScope)}."
        raise invalid_request([FieldError("query:scope", "known-value", message, code)]) from error


def _check_endpoint(query: EndpointQuery, now: datetime) -> None:
    faults = []
    if query.port not in PORTS:
        code = ErrorCode.SANDBOX_INVALID_PORT
        faults.append(FieldError("path:port", "bounds", "A port is a number from 1 to 65535.", code))
    if query.expires is not None:
        if query.use_server_proxy:
            message = "expires and use_server_proxy exclude each other."
            faults.append(FieldError("query:expires", "not-together", message))
        elif query.expires <= now.timestamp():
            faults.append(FieldError("query:expires", "future", "expires is an instant later than now."))
    if faults:
        raise invalid_request(faults)
