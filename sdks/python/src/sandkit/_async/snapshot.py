"""A snapshot, bound to the client that read it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sandkit._async.calls import AsyncSnapshotCalls
from sandkit._async.polling import poll
from sandkit._core import lifecycle
from sandkit._core.accounts import Observation
from sandkit._core.options import RequestOptions
from sandkit._core.response import Answer
from sandkit._core.waiting import DEFAULT_WAIT, Limits, Subject, targets_of
from sandkit._generated import models
from sandkit._generated.states import SnapshotState


class AsyncSnapshot:
    """A sandbox's root filesystem, kept as an image with a life of its own.

    The properties tell how the snapshot was when it was last read; `refresh()` and the wait methods read
    it again.
    """

    def __init__(self, calls: AsyncSnapshotCalls, answer: Answer[models.Snapshot]) -> None:
        self._calls = calls
        self._answer = answer

    @property
    def data(self) -> models.Snapshot:
        """The snapshot as it came off the wire, with fields this version does not know."""
        return self._answer.value

    @property
    def request_id(self) -> str:
        """The X-Request-ID of the exchange that read it last."""
        return self._answer.request_id

    @property
    def id(self) -> str:
        """The snapshot's id."""
        return self.data.id

    @property
    def sandbox_id(self) -> str:
        """The sandbox it was taken of, which may be gone."""
        return self.data.sandbox_id

    @property
    def name(self) -> str | None:
        """The name it was given."""
        return self.data.name

    @property
    def state(self) -> str:
        """One of `SnapshotState`, or a word of the server's own."""
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
    def created_at(self) -> datetime:
        """When it was asked for."""
        return self.data.created_at

    @property
    def additional_properties(self) -> dict[str, Any]:
        """Fields this version does not know, by their name on the wire."""
        return self.data.additional_properties

    async def refresh(self, *, options: RequestOptions | None = None) -> AsyncSnapshot:
        """Read it again; returns itself.

        Raises:
            NotFoundError: It is gone.
        """
        self._answer = await self._calls.get(self.id, options)
        return self

    async def delete(self, *, options: RequestOptions | None = None) -> None:
        """Remove the snapshot and its image. Sandboxes already running from it are not touched.

        Raises:
            NotFoundError: It is gone already.
            ConflictError: It is still being created, or a sandbox is being started from it.
        """
        await self._calls.delete(self.id, options)

    async def wait_until(
        self,
        states: str | Iterable[str],
        *,
        timeout: float = DEFAULT_WAIT,  # noqa: ASYNC109 - of the wait, whose error says what was seen
    ) -> AsyncSnapshot:
        """Wait for one of the states; returns itself.

        Args:
            states: The states to wait for. With `Deleting` among them, a snapshot that is gone counts, too.
            timeout: Seconds for the whole wait.

        Raises:
            WaitTimeoutError: The time ran out.
            UnexpectedStateError: None of the states can come any more, such as Ready after Failed.
            ApiError: The server refused the look, such as 401, 403 or 404.
        """
        subject = Subject("snapshot", self.id, targets_of(states), lifecycle.SNAPSHOT)
        exchange = self._calls.exchange
        if not await poll(subject, self._look, exchange.clock, Limits(timeout, exchange.config.timeout)):
            self.data.status.state = lifecycle.SNAPSHOT.gone
        return self

    async def wait_ready(
        self,
        *,
        timeout: float = DEFAULT_WAIT,  # noqa: ASYNC109 - of the wait, whose error says what was seen
    ) -> AsyncSnapshot:
        """Wait until a sandbox can be created from it; errors as for `wait_until`."""
        return await self.wait_until(SnapshotState.READY, timeout=timeout)

    async def _look(self, options: RequestOptions) -> Observation:
        await self.refresh(options=options)
        status = self.data.status
        return Observation(
            0.0, status.state, status.reason, status.message, self.request_id, status.last_transition_at
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}(id={self.id!r}, state={self.state!r})"
