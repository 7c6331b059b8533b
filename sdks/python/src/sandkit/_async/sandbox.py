"""A sandbox, bound to the client that read it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

from sandkit._async.calls import AsyncSandboxCalls, AsyncSnapshotCalls
from sandkit._async.polling import poll
from sandkit._async.snapshot import AsyncSnapshot
from sandkit._core import errors, lifecycle
from sandkit._core.accounts import Observation
from sandkit._core.endpoint import Endpoint, EndpointRoute
from sandkit._core.log import LOGGER
from sandkit._core.options import RequestOptions
from sandkit._core.response import Answer
from sandkit._core.waiting import DEFAULT_WAIT, Limits, Subject, targets_of
from sandkit._generated import models
from sandkit._generated.states import SandboxState
from sandkit._io_async import shielded

_CLEAN_UP_SECONDS = 30.0
"""How long leaving a context may take when the code around it has been cancelled."""


class AsyncSandbox:
    """A sandbox.

    The properties tell how it was when it was last read; `refresh()` and the wait methods read it again.
    As a context manager it is deleted on the way out, whatever happened inside:

    ```python
    async with await client.sandboxes.create(image="python:3.12-slim") as sandbox:
        await sandbox.wait_running()
    ```
    """

    def __init__(self, calls: AsyncSandboxCalls, answer: Answer[models.Sandbox]) -> None:
        self._calls = calls
        self._answer = answer
        self._accepted: lifecycle.Accepted | None = None
        self._deleted = False

    @property
    def data(self) -> models.Sandbox:
        """The sandbox as it came off the wire, with fields this version does not know."""
        return self._answer.value

    @property
    def request_id(self) -> str:
        """The X-Request-ID of the exchange that read it last."""
        return self._answer.request_id

    @property
    def id(self) -> str:
        """The sandbox's id; the same from create to delete."""
        return self.data.id

    @property
    def state(self) -> str:
        """One of `SandboxState`, or a word of the server's own."""
        return self.data.status.state

    @property
    def reason(self) -> str | None:
        """A short word for why it is in this state, if the server tells."""
        return self.data.status.reason

    @property
    def message(self) -> str | None:
        """The same for people."""
        return self.data.status.message

    @property
    def last_transition_at(self) -> datetime | None:
        """When the state last changed, if the server tells."""
        return self.data.status.last_transition_at

    @property
    def metadata(self) -> Mapping[str, str]:
        """The caller's labels; change them with `patch_metadata()`."""
        return dict(self.data.metadata or {})

    @property
    def image(self) -> str | None:
        """The image reference it was created from, if it was."""
        return self.data.image.uri if self.data.image else None

    @property
    def snapshot_id(self) -> str | None:
        """The snapshot it was created from, if it was."""
        return self.data.snapshot_id

    @property
    def entrypoint(self) -> tuple[str, ...]:
        """The command and its arguments."""
        return tuple(self.data.entrypoint)

    @property
    def platform(self) -> models.Platform | None:
        """The operating system and architecture, if the server tells."""
        return self.data.platform

    @property
    def extensions(self) -> Mapping[str, str]:
        """Opaque settings it was created with."""
        return dict(self.data.extensions or {})

    @property
    def created_at(self) -> datetime:
        """When it was created."""
        return self.data.created_at

    @property
    def expires_at(self) -> datetime | None:
        """When it is terminated by itself; None when it never is."""
        return self.data.expires_at

    @property
    def additional_properties(self) -> dict[str, Any]:
        """Fields this version does not know, by their name on the wire."""
        return self.data.additional_properties

    async def refresh(self, *, options: RequestOptions | None = None) -> AsyncSandbox:
        """Read it again; returns itself.

        Raises:
            NotFoundError: It is gone.
        """
        self._answer = await self._calls.get(self.id, options)
        return self

    async def pause(self, *, options: RequestOptions | None = None) -> None:
        """Ask for a pause; `wait_paused()` waits until it is done.

        The request is never sent twice. When its answer is lost, the sandbox is read once, and a state of
        Pausing or Paused counts as the answer; otherwise the error is raised with `maybe_applied` set.

        Raises:
            InvalidStateError: It is not Running.
            NotSupportedError: The server's runtime cannot pause.
            NotFoundError: It is gone.
        """
        await self._calls.pause(self.id, options)
        self._accepted = lifecycle.accepted("pauseSandbox", self.state, self.last_transition_at)

    async def resume(self, *, options: RequestOptions | None = None) -> None:
        """Ask for a resume; `wait_running()` waits until it is done.

        A lost answer is treated as for `pause()`.

        Raises:
            InvalidStateError: It is not Paused.
            NotFoundError: It is gone.
        """
        await self._calls.resume(self.id, options)
        self._accepted = lifecycle.accepted("resumeSandbox", self.state, self.last_transition_at)

    async def renew(
        self, expires_at: datetime | timedelta, *, options: RequestOptions | None = None
    ) -> datetime:
        """Move the expiry, also while paused; returns the one that now holds.

        Args:
            expires_at: The new expiry with a UTC offset, or a timedelta from now by this machine's clock.
            options: Settings of this call.

        Raises:
            BadRequestError: It is not in the future, or further away than the server allows.
            ConflictError: The sandbox was created without an expiry, or is being taken down.
        """
        answer = await self._calls.renew(self.id, expires_at, options)
        self.data.expires_at = answer.value
        return answer.value

    async def patch_metadata(
        self, changes: Mapping[str, str | None], *, options: RequestOptions | None = None
    ) -> AsyncSandbox:
        """Set labels, and remove those whose value is None; others stay (RFC 7396).

        Returns itself, as it is after the change.

        Raises:
            BadRequestError: A key or value is not a valid label; nothing was changed.
        """
        self._answer = await self._calls.patch_metadata(self.id, changes, options)
        return self

    async def endpoint(
        self,
        port: int,
        *,
        through_server: bool = False,
        expires: datetime | int | None = None,
        options: RequestOptions | None = None,
    ) -> Endpoint:
        """The address of a port of the sandbox.

        Args:
            port: The TCP port inside the sandbox, 1 to 65535.
            through_server: Ask for an address that leads through the server.
            expires: Ask for a signed address valid until then; not together with `through_server`.
            options: Settings of this call.

        Raises:
            BadRequestError: The port, or the combination of arguments, is not valid.
            NotFoundError: The sandbox has no address any more.
            NotSupportedError: The server's runtime has no such kind of address.
        """
        return await self._calls.endpoint(self.id, port, EndpointRoute(through_server, expires), options)

    async def snapshot(
        self, name: str | None = None, *, options: RequestOptions | None = None
    ) -> AsyncSnapshot:
        """Start to keep the root filesystem as an image; the sandbox goes on running.

        Returns:
            The snapshot, which is still being created; `wait_ready()` waits for it.

        Raises:
            InvalidStateError: The sandbox is not Running.
            NotSupportedError: The server's runtime cannot take snapshots.
        """
        answer = await self._calls.snapshot(self.id, name, options)
        return AsyncSnapshot(AsyncSnapshotCalls(self._calls.exchange), answer)

    async def logs(self, scope: str | None = None, *, options: RequestOptions | None = None) -> str:
        """The most recent output of the entrypoint, oldest line first."""
        return await self._calls.logs(self.id, scope, options)

    async def events(self, scope: str | None = None, *, options: RequestOptions | None = None) -> str:
        """What happened to the sandbox, one line each, oldest first."""
        return await self._calls.events(self.id, scope, options)

    async def delete(self, *, options: RequestOptions | None = None) -> None:
        """Take the sandbox down, in whatever state it is; `wait_until("Terminated")` waits until it is gone.

        Raises:
            NotFoundError: It is gone already.
        """
        await self._calls.delete(self.id, options)
        self._deleted = True

    async def wait_until(
        self,
        states: str | Iterable[str],
        *,
        timeout: float = DEFAULT_WAIT,  # noqa: ASYNC109 - of the wait, whose error says what was seen
    ) -> AsyncSandbox:
        """Wait for one of the states; returns itself.

        Args:
            states: The states to wait for. With `Terminated` among them, a sandbox that is gone counts, too.
            timeout: Seconds for the whole wait.

        Raises:
            WaitTimeoutError: The time ran out; the error says which states were seen, and why.
            UnexpectedStateError: None of the states can come any more, such as Running after Failed, or
                Paused when the pause that was asked for has failed.
            ApiError: The server refused the look, such as 401, 403 or 404.
        """
        subject = Subject("sandbox", self.id, targets_of(states), lifecycle.SANDBOX, self._accepted)
        exchange = self._calls.exchange
        if not await poll(subject, self._look, exchange.clock, Limits(timeout, exchange.config.timeout)):
            self.data.status.state = lifecycle.SANDBOX.gone
        self._accepted = None
        return self

    async def wait_running(
        self,
        *,
        timeout: float = DEFAULT_WAIT,  # noqa: ASYNC109 - of the wait, whose error says what was seen
    ) -> AsyncSandbox:
        """Wait until it runs, after a create or a resume; errors as for `wait_until`."""
        return await self.wait_until(SandboxState.RUNNING, timeout=timeout)

    async def wait_paused(
        self,
        *,
        timeout: float = DEFAULT_WAIT,  # noqa: ASYNC109 - of the wait, whose error says what was seen
    ) -> AsyncSandbox:
        """Wait until it is paused; errors as for `wait_until`."""
        return await self.wait_until(SandboxState.PAUSED, timeout=timeout)

    async def _look(self, options: RequestOptions) -> Observation:
        await self.refresh(options=options)
        return Observation(
            0.0, self.state, self.reason, self.message, self.request_id, self.last_transition_at
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._deleted:
            return
        with shielded(_CLEAN_UP_SECONDS):
            try:
                await self.delete()
            except errors.NotFoundError:
                self._deleted = True
            except errors.SandkitError as problem:
                if error is None:
                    raise
                error.add_note(f"Besides, sandbox {self.id} could not be deleted: {problem}")
        if not self._deleted:
            LOGGER.warning("sandbox %s could not be deleted on the way out of its context", self.id)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(id={self.id!r}, state={self.state!r})"
