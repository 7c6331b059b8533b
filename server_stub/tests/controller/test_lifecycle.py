"""A sandbox from its creation to its end, on an abstract cluster: states, calls, what is left."""

from __future__ import annotations

from .world import ID, World, writes


async def test_a_sandbox_comes_up_with_one_pod_and_one_status() -> None:
    world = World()
    await world.run()
    assert writes(world.cluster) == ["create pods", "patch batchsandboxes/status"]
    status = world.sandbox()["status"]
    assert (status["podName"], status["nodeName"], status["podIPs"]) == (ID, "node-1", ["10.0.0.1"])
    assert [note.message for note in world.notes] == ["Pending to Running"]
