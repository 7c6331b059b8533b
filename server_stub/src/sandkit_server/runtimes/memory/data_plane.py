"""The ports of sandboxes, as far as a responder in memory can stand for them."""

from __future__ import annotations

from collections.abc import Mapping

from sandkit_server.core.model import SandboxState
from sandkit_server.core.observation import DataPlaneAnswer
from sandkit_server.runtimes.memory import access
from sandkit_server.runtimes.memory.engine import MemoryEngine

_TEXT = {"content-type": "text/plain; charset=utf-8"}


class MemoryDataPlane:
    """Answers for every port of a running sandbox, and for none of one that is not (PAU-17, RES-08)."""

    def __init__(self, engine: MemoryEngine) -> None:
        self._engine = engine

    async def handle(
        self, sandbox_id: str, port: int, path: str, headers: Mapping[str, str]
    ) -> DataPlaneAnswer:
        """``ping`` is the health check of existing clients; any other path names sandbox and port."""
        record = self._engine.workloads.find(sandbox_id)
        if record is None:
            return _answer(404, f"There is no sandbox {sandbox_id}.")
        token = headers.get(access.TOKEN_HEADER)
        if token is None and record.spec.request.secure_access:
            return _answer(401, f"This port asks for the {access.TOKEN_HEADER} header of its endpoint.")
        now = self._engine.clock.now().timestamp()
        if token is not None and not access.is_valid(
            self._engine.endpoint_secret, token, sandbox_id, port, now
        ):
            return _answer(403, "The access token is not valid for this port, or has expired.")
        if record.state is not SandboxState.RUNNING:
            return _answer(503, f"Sandbox {sandbox_id} is {record.state}; nothing listens.")
        if path.strip("/") == "ping":
            return _answer(200, "pong")
        return _answer(200, f"sandbox {sandbox_id}, port {port}")


def _answer(status: int, text: str) -> DataPlaneAnswer:
    return DataPlaneAnswer(status=status, body=text.encode(), headers=_TEXT)
