"""Deadlines that the control plane's own controllers keep by real time, brought forward with the clock."""

from __future__ import annotations

from datetime import UTC, datetime

from sandkit_server.kubernetes.standing import instant
from sandkit_server.testing.control_plane.node.api import NodeApi, Refused


class Deadlines:
    """Moves what is due by the moved clock to now, for jobs: their controller cannot be given our time."""

    def __init__(self, api: NodeApi, namespace: str) -> None:
        self._api = api
        self._jobs = f"/apis/batch/v1/namespaces/{namespace}/jobs"

    async def bring_forward(self, seconds: float) -> None:
        """Let every job that would reach its deadline within ``seconds`` reach it at once."""
        jobs, _ = await self._api.list(self._jobs)
        now = datetime.now(UTC)
        for job in jobs:
            status, limit = job.get("status") or {}, job["spec"].get("activeDeadlineSeconds")
            ended = any(one["type"] in ("Complete", "Failed") for one in status.get("conditions") or ())
            if ended or limit is None or "startTime" not in status:
                continue
            left = limit - (now - instant(status["startTime"])).total_seconds()
            if left <= seconds:
                await self._shorten(job["metadata"]["name"])

    async def _shorten(self, name: str) -> None:
        try:
            await self._api.merge(f"{self._jobs}/{name}", {"spec": {"activeDeadlineSeconds": 1}})
        except Refused as refusal:
            if refusal.status != 404:
                raise
