from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from sandkit_server.kubernetes.calls import get, merge
from sandkit_server.kubernetes.http_cluster import HttpCluster
from sandkit_server.kubernetes.lease import Election, Terms
from sandkit_server.kubernetes.resources import LEASES

# As long as the product's own, so that no holder is too late on a machine with much else to do.
TERMS = Terms(duration=15.0, deadline=10.0, retry=0.1)


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Worker:
    """Leads until it is told to stop."""

    def __init__(self, cluster: HttpCluster, identity: str) -> None:
        self.election = Election(cluster, SystemClock(), lease="controller", identity=identity, terms=TERMS)
        self.began = asyncio.Event()
        self.ended = asyncio.Event()
        self.task = asyncio.create_task(self.election.lead(self._work))

    async def _work(self) -> None:
        self.began.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.set()

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def test_one_leads_and_the_next_takes_over_at_once_when_it_stops(cluster: HttpCluster) -> None:
    async with asyncio.timeout(30):
        first = Worker(cluster, "first")
        await first.began.wait()
        second = Worker(cluster, "second")
        await asyncio.sleep(3 * TERMS.retry)
        assert (first.election.leading, second.election.leading) == (True, False)

        await first.stop()
        assert first.ended.is_set()
        assert not first.election.leading
        await second.began.wait()
        lease = await cluster.send(get(LEASES, "controller"))
        assert lease["spec"]["holderIdentity"] == "second"
        assert lease["spec"]["leaseTransitions"] == 1
        await second.stop()


async def test_who_loses_the_lease_stops_working(cluster: HttpCluster) -> None:
    async with asyncio.timeout(30):
        worker = Worker(cluster, "first")
        await worker.began.wait()
        await cluster.send(merge(LEASES, "controller", {"spec": {"holderIdentity": "thief"}}))
        await worker.task
        assert worker.ended.is_set()
        assert (await cluster.send(get(LEASES, "controller")))["spec"]["holderIdentity"] == "thief"


async def test_a_change_by_somebody_else_that_leaves_the_holder_is_no_loss(cluster: HttpCluster) -> None:
    async with asyncio.timeout(30):
        worker = Worker(cluster, "first")
        await worker.began.wait()
        noted = await cluster.send(
            merge(LEASES, "controller", {"metadata": {"annotations": {"example.com/note": "x"}}})
        )
        renewed = noted
        while renewed["spec"]["renewTime"] == noted["spec"]["renewTime"]:
            renewed = await cluster.send(get(LEASES, "controller"))
        assert worker.election.leading
        await worker.stop()


async def test_a_crashed_holder_is_replaced_when_its_lease_has_run_out(cluster: HttpCluster) -> None:
    async with asyncio.timeout(30):
        first = Worker(cluster, "first")
        await first.began.wait()
        await first.stop()
        # As if it had never released it.
        spec = {"holderIdentity": "first", "leaseDurationSeconds": 4}
        await cluster.send(merge(LEASES, "controller", {"spec": spec}))
        second = Worker(cluster, "second")
        await asyncio.sleep(1.0)
        assert not second.began.is_set()
        await second.began.wait()
        await second.stop()
