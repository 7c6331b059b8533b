"""Control plane, node and committer: they act after each change, a little later, one after the other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress

from sandkit_server.core.port_errors import PortError
from sandkit_server.kubernetes.calls import Call, Object
from sandkit_server.kubernetes.resources import PODS, TASK_LABEL
from sandkit_server.testing.cluster import node
from sandkit_server.testing.cluster.fake import CONTROL_PLANE
from sandkit_server.testing.cluster.state import State

from .judged_cluster import JudgedCluster

PACE_SECONDS = 0.003
# Deadlines of jobs pass without any change.
GLANCE_SECONDS = 5.0
DIGEST = f"sha256:{'d' * 64}"


class Surroundings:
    """What is neither server nor controller.

    Attributes:
        commits: ``well``, ``in vain`` (they fail) or ``never`` (they hang).
        willing: Whether nodes start pods.
    """

    def __init__(self, cluster: JudgedCluster) -> None:
        self.commits = "well"
        self.willing = True
        self._cluster = cluster
        self._changed = asyncio.Event()
        cluster.tell = self._changed.set

    async def run(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(GLANCE_SECONDS):
                    await self._changed.wait()
            await asyncio.sleep(PACE_SECONDS)
            self._changed.clear()
            for controller in (*CONTROL_PLANE, node.terminate, node.bind_claims, self._start, self._commit):
                for call in controller(self._cluster.state):
                    # What an earlier call of this round has changed is seen in the next one.
                    with suppress(PortError):
                        self._cluster.act_as("node", call)

    def _start(self, state: State) -> Iterator[Call]:
        return node.start(state) if self.willing else iter(())

    def _commit(self, state: State) -> Iterator[Call]:
        for pod in state.all(PODS):
            task = pod["metadata"].get("labels", {}).get(TASK_LABEL)
            if task is None or (pod.get("status") or {}).get("phase") != "Running":
                continue
            if task == "release":
                yield node.end(pod, state.now)
            elif self.commits == "well":
                yield node.end(pod, state.now, message=_report(pod))
            elif self.commits == "in vain":
                message = json.dumps({"reason": "PushFailed", "message": "denied"})
                yield node.end(pod, state.now, code=1, message=message)


def _report(pod: Object) -> str:
    args = [arg for arg in pod["spec"]["containers"][0]["args"] if arg.startswith("--image=")]
    images = [arg.split("=", 2)[1:] for arg in args]
    return json.dumps(
        {
            "containers": [
                {"containerName": name, "imageUri": uri, "imageDigest": DIGEST} for name, uri in images
            ]
        }
    )
