"""The ports of sandboxes, as far as a responder in memory can stand for them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta

from sandkit_server.core import access
from sandkit_server.core.errors import ErrorCode, SandkitError
from sandkit_server.core.model import SandboxState
from sandkit_server.core.observation import DataPlaneAnswer
from sandkit_server.core.port_errors import PortError
from sandkit_server.core.ports import WorkloadProvider
from sandkit_server.core.translation import unavailable
from sandkit_server.core.validation import RENEW_EXTENSION
from sandkit_server.runtimes.memory.engine import MemoryEngine
from sandkit_server.runtimes.memory.records import WorkloadRecord

_log = logging.getLogger(__name__)

_TEXT = {"content-type": "text/plain; charset=utf-8"}


class MemoryDataPlane:
    """Answers for every port of a running sandbox, and for none of one that is not (PAU-17, RES-08)."""

    def __init__(self, engine: MemoryEngine, workloads: WorkloadProvider) -> None:
        self._engine = engine
        self._workloads = workloads
        self._tokens = access.AccessTokens(engine.endpoint_secret)

    async def handle(
        self, sandbox_id: str, port: int, path: str, headers: Mapping[str, str]
    ) -> DataPlaneAnswer:
        """``ping`` is the health check of existing clients; any other path names sandbox and port."""
        record = self._engine.workloads.find(sandbox_id)
        if record is None:
            raise SandkitError(ErrorCode.SANDBOX_SANDBOX_NOT_FOUND, f"There is no sandbox {sandbox_id}.")
        self._tokens.admit(
            headers.get(access.TOKEN_HEADER),
            sandbox_id,
            port,
            self._engine.clock.now().timestamp(),
            required=record.spec.request.secure_access,
        )
        if record.state is not SandboxState.RUNNING:
            raise unavailable(f"Sandbox {sandbox_id} is {record.state}; nothing listens.")
        await self._extend(record)
        if path.partition("?")[0].strip("/") == "ping":
            return _answer("pong")
        return _answer(f"sandbox {sandbox_id}, port {port}")

    async def _extend(self, record: WorkloadRecord) -> None:
        """Move the expiry of a sandbox made to be extended by each access, never to an earlier instant."""
        seconds = record.spec.request.extensions.get(RENEW_EXTENSION)
        if seconds is None or record.expires_at is None:
            return
        later = self._engine.clock.now() + timedelta(seconds=int(seconds))
        if later <= record.expires_at:
            return
        try:
            await self._workloads.set_expiry(record.id, str(record.version), later)
        except PortError as error:
            # The access itself succeeded; whoever changed the sandbox meanwhile may have extended it too.
            _log.warning("sandbox %s: its expiry could not be extended: %s", record.id, error)


def _answer(text: str) -> DataPlaneAnswer:
    return DataPlaneAnswer(status=200, body=text.encode(), headers=_TEXT)
