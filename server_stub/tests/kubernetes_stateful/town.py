"""Cluster, server, controller and one client in one event loop, where time passes only when told to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from sandkit_server.core.errors import ErrorCode, SandkitError
from sandkit_server.core.model import Caller, ClaimSource, CreateSandbox, ImageSource, Sandbox, Volume
from sandkit_server.core.service import LifecycleService
from sandkit_server.kubernetes.calls import create
from sandkit_server.kubernetes.resources import CLAIMS, SECRETS

from .judged_cluster import KEPT, JudgedCluster
from .model import Answer, Life, Model
from .processes import Process, Server, bury, controller_life
from .surroundings import Surroundings
from .virtual_loop import LoopClock, VirtualLoop

CALLER = Caller("test")
# Longer than any deadline or interval of the product, one after the other.
SETTLING_SECONDS = 900.0


class Town:
    """One namespace and everybody who works in it."""

    def __init__(self) -> None:
        self.loop = VirtualLoop()
        self.clock = LoopClock(self.loop)
        self.cluster = JudgedCluster(self.clock.now)
        self.surroundings = Surroundings(self.cluster)
        self.server = Server(self.clock)
        self.processes = {
            "server": Process(self.cluster, "server", self.server.live),
            "controller": Process(self.cluster, "controller", controller_life(self.clock)),
        }
        self.model = Model()
        self._errors = _Errors(self.cluster.broken)
        self._requests: set[asyncio.Task[None]] = set()
        self._seed()
        works = [process.run() for process in self.processes.values()]
        self._inhabitants = [self.loop.create_task(work) for work in (*works, self.surroundings.run())]
        self.pass_time(1.0)

    def pass_time(self, seconds: float) -> None:
        """Let everybody act for a while. Raises AssertionError when they broke a promise."""
        self.loop.run_until_complete(asyncio.sleep(seconds))
        assert not self.cluster.broken, self.cluster.broken[0]

    def settle(self) -> None:
        """No more faults; everything that is due happens."""
        self.cluster.faults.clear()
        self.surroundings.commits, self.surroundings.willing = "well", True
        for process in self.processes.values():
            process.armed.clear()
            process.line.blind(0)
        self.pass_time(SETTLING_SECONDS)
        assert not self._requests, "a request is never answered"

    def close(self) -> None:
        self.loop.run_until_complete(bury(*self._requests, *self._inhabitants))
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()
        self._errors.detach()

    # --- what the client asks for -----------------------------------------------------------------------

    def create(self, name: str, key: str | None, lifetime: int | None, *volumes: Volume) -> None:
        request = CreateSandbox(
            image=ImageSource(uri="busybox:1.36"),
            entrypoint=("sleep", "3600"),
            resource_limits={"cpu": "100m", "memory": "64Mi"},
            timeout_seconds=lifetime,
            volumes=volumes,
        )

        async def ask() -> None:
            with self.model.request(name) as mine:
                answer, made = await self._ask(lambda service: service.create_sandbox(request, CALLER, key))
                self.model.created(name, _life(made), answer, mine)

        self._begin(ask())

    def delete(self, life: Life, name: str) -> None:
        async def ask() -> None:
            with self.model.request(name) as mine:
                answer, _ = await self._ask(lambda service: service.delete_sandbox(life.id))
                self.model.removed(life, answer, mine)

        self._begin(ask())

    def renew(self, life: Life, name: str, seconds: float) -> None:
        expires = self.clock.now() + timedelta(seconds=seconds)

        async def ask() -> None:
            with self.model.request(name) as mine:
                answer, _ = await self._ask(lambda service: service.renew(life.id, expires))
                self.model.renewed(life, expires, answer, mine)

        self._begin(ask())

    def pause(self, life: Life) -> None:
        self._begin(self._ask(lambda service: service.pause(life.id)))

    def resume(self, life: Life) -> None:
        self._begin(self._ask(lambda service: service.resume(life.id)))

    def snapshot(self, life: Life) -> None:
        async def ask() -> None:
            answer, made = await self._ask(
                lambda service: service.create_snapshot(life.id, None, CALLER, None)
            )
            self.model.snapshot_made(None if made is None else made.id, answer)

        self._begin(ask())

    def delete_snapshot(self, snapshot_id: str) -> None:
        async def ask() -> None:
            answer, _ = await self._ask(lambda service: service.delete_snapshot(snapshot_id))
            self.model.snapshot_removed(snapshot_id, answer)

        self._begin(ask())

    # --- within -----------------------------------------------------------------------------------------

    def _begin(self, request: Any) -> None:
        task = self.loop.create_task(request)
        self._requests.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._requests.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.cluster.broken.append(f"a request ended with {error!r}")

    async def _ask(self, call: Callable[[LifecycleService], Awaitable[Any]]) -> tuple[Answer, Any]:
        if self.server.service is None:
            return Answer.REFUSED, None
        asking = asyncio.ensure_future(self.server.serve(_answer(call, self.server.service)))
        await asyncio.wait({asking})
        if asking.cancelled():
            return Answer.UNKNOWN, None
        error = asking.exception()
        if error is None:
            return Answer.DONE, asking.result()
        if not isinstance(error, SandkitError) or error.code is ErrorCode.REQUEST_INTERNAL_ERROR:
            self.cluster.broken.append(f"an answer nobody foresaw: {error!r}")
            return Answer.UNKNOWN, None
        return (Answer.UNKNOWN if error.status >= 500 else Answer.REFUSED), None

    def _seed(self) -> None:
        secret = {"metadata": {"name": "push"}, "type": "kubernetes.io/dockerconfigjson"}
        self.cluster.act(create(SECRETS, secret))
        self.cluster.act(create(CLAIMS, {"metadata": {"name": f"{KEPT}foreign"}, "spec": {}}))


def volume(claim: str, *, delete: bool = True) -> Volume:
    source = ClaimSource(claim_name=claim, create_if_not_exists=True, delete_on_sandbox_termination=delete)
    return Volume(name=claim, mount_path=f"/{claim}", claim=source)


class _Errors(logging.Handler):
    """What the product logs as its own defect is one."""

    def __init__(self, found: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._found = found
        logging.getLogger("sandkit_server").addHandler(self)

    def detach(self) -> None:
        logging.getLogger("sandkit_server").removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info is None and not record.name.startswith("sandkit_server.controller"):
            return  # the operator is told of what a fault has brought about
        cause = record.exc_info[1] if record.exc_info else None
        self._found.append(f"logged: {record.getMessage()}" + (f": {cause!r}" if cause else ""))


def _life(made: Sandbox | None) -> Life | None:
    return None if made is None else Life(made.id, made.created_at, made.expires_at)


async def _answer(call: Callable[[LifecycleService], Awaitable[Any]], service: LifecycleService) -> Any:
    """Call only once it is due: the server may have died by then."""
    return await call(service)
