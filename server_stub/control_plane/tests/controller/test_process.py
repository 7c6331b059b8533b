"""The controller as a process on the real API server, with the chart's permissions and no more."""

from __future__ import annotations

import asyncio
import signal

from sandkit_server.core.model import SandboxState
from sandkit_server.disturbance.faults import Gate
from sandkit_server.kubernetes.calls import Propagation, delete
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES, JOBS, LEASES, PODS, POOLS, SNAPSHOTS

from .conftest import PATIENCE, Site


async def test_a_life_costs_the_calls_it_should_and_leaves_nothing(site: Site) -> None:
    controller = await site.start()
    await site.make("one")
    obj = await site.until("one", SandboxState.RUNNING)
    assert (obj["status"]["podName"], obj["status"]["nodeName"]) == ("one", site.node)
    assert dict(await controller.calls()) == {
        "create pods": 1,
        "patch batchsandboxes.sandbox.opensandbox.io/status": 1,
    }

    await site.ask("one", pause=True)
    await site.until("one", SandboxState.PAUSED)
    assert "one" not in await site.names(PODS)
    await site.until_gone(PODS)  # the commit job's own, in the garbage collector's time
    await site.ask("one", pause=False)
    await site.until("one", SandboxState.RUNNING)
    await site.until_gone(SNAPSHOTS)
    await site.until_gone(JOBS)
    calls = await controller.calls()
    # 2 to come up, 9 to pause, 4 to resume; a repeated look at the same moment may add one.
    assert 15 <= sum(calls.values()) <= 17, calls

    await site.admin.send(delete(BATCH_SANDBOXES, "one", propagation=Propagation.FOREGROUND))
    await site.until_gone(BATCH_SANDBOXES)
    await site.until_gone(PODS)
    assert not [line for line in controller.log if "ERROR" in line or "refused" in line], controller.log


async def test_a_pool_gives_pods_out_and_fills_up_again(site: Site) -> None:
    await site.start()
    await site.make_pool("warm", bufferMin=1, bufferMax=1, poolMin=0, poolMax=3)
    await site.until_holds(
        POOLS, "warm", lambda pool: bool(pool and (pool.get("status") or {}).get("available") == 1)
    )
    await site.make("one", poolRef="warm")
    obj = await site.until("one", SandboxState.RUNNING)
    assert obj["status"]["podName"] == "warm-warm-0"
    pool = await site.until_holds(
        POOLS, "warm", lambda pool: bool(pool and pool["status"].get("available") == 1)
    )
    assert pool is not None
    await site.ask("one", pause=True)
    obj = await site.until("one", SandboxState.PAUSED)
    assert "poolRef" not in obj["spec"]
    await site.ask("one", pause=False)
    obj = await site.until("one", SandboxState.RUNNING)
    assert obj["status"]["podName"] == "one"


async def test_an_expired_sandbox_is_collected(site: Site) -> None:
    await site.start()
    await site.make("one", expireTime="2026-01-01T00:00:00Z")
    await site.until_gone(BATCH_SANDBOXES)
    await site.until_gone(PODS)


async def test_the_one_that_stands_by_takes_over_from_a_killed_one_in_the_middle_of_a_pause(
    site: Site,
) -> None:
    first = await site.start()
    await site.make("one")
    await site.until("one", SandboxState.RUNNING)
    second = await site.start()
    assert (await second.ask("/readyz")).text == "standing by\n"
    copying = Gate(id="copying", point="snapshot.commit")
    site.disturbances.add_gate(copying)
    await site.ask("one", pause=True)
    async with asyncio.timeout(PATIENCE):
        await copying.arrivals.wait()
    await first.end(signal.SIGKILL)
    site.disturbances.release(copying)
    await site.until("one", SandboxState.PAUSED)
    assert await second.leading()


async def test_a_stopped_one_gives_its_lease_back(site: Site) -> None:
    first = await site.start()
    await site.make("one")
    await site.until("one", SandboxState.RUNNING)
    assert await first.end(signal.SIGTERM) == 0
    lease = await site.get(LEASES, "sandkit-controller")
    assert lease is not None
    assert lease["spec"].get("holderIdentity", "") == ""
    assert not [line for line in first.log if "ERROR" in line or "Traceback" in line], first.log


async def test_many_at_once_cost_no_more_each(site: Site) -> None:
    controller = await site.start()
    names = [f"many-{number}" for number in range(20)]
    for name in names:
        await site.make(name)
    for name in names:
        await site.until(name, SandboxState.RUNNING)
    for pause, state in ((True, SandboxState.PAUSED), (False, SandboxState.RUNNING)):
        for name in names:
            await site.ask(name, pause=pause)
        for name in names:
            await site.until(name, state)
    await site.until_gone(SNAPSHOTS)
    await site.until_gone(JOBS)
    calls = await controller.calls()
    # 15 each; a write that met a newer version is sent again.
    assert sum(calls.values()) <= 17 * len(names), calls
    assert not [line for line in controller.log if "ERROR" in line], controller.log
