"""The controller process: everything composed out of settings, leading while it holds the lease."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Final

from sandkit_server.controller.controller import Controller, Pace
from sandkit_server.controller.metrics import Metrics
from sandkit_server.controller.settings import Settings
from sandkit_server.controller.status_port import Answer, StatusPort, bind
from sandkit_server.kubernetes.clock import SystemClock
from sandkit_server.kubernetes.connection import discover
from sandkit_server.kubernetes.http_cluster import HttpCluster
from sandkit_server.kubernetes.lease import Election
from sandkit_server.kubernetes.resources import MANAGED_BY

_log: Final = logging.getLogger("sandkit_server.controller")


class ControllerProcess:
    """Stands by, leads while it holds the lease, stands by again when it was lost.

    Raises ConfigurationError (connection) and OSError (port) on construction; nothing was started then.
    """

    def __init__(self, settings: Settings) -> None:
        connection = discover(os.environ, path=settings.kubeconfig, context=settings.context)
        self._settings = settings
        self._clock = SystemClock()
        self._metrics = Metrics()
        self._identity = f"{socket.gethostname()}-{secrets.token_hex(4)}"
        self._bound = bind(settings.metrics_host, settings.metrics_port)
        self._cluster = HttpCluster(connection, field_manager=MANAGED_BY, namespace=settings.namespace)
        self._controller: Controller | None = None
        self._election = Election(
            self._cluster,
            self._clock,
            lease=settings.lease,
            identity=self._identity,
            terms=settings.terms,
        )
        self._measure()

    @property
    def address(self) -> tuple[str, int]:
        """Where metrics and health are asked for."""
        host, port = self._bound.getsockname()[:2]
        return str(host), int(port)

    async def run(self) -> None:
        """Work until cancelled; then the lease is given back, so that the next one need not wait."""
        port = StatusPort(
            self._bound, {"/metrics": self._show_metrics, "/healthz": self._healthy, "/readyz": self._ready}
        )
        status = asyncio.ensure_future(port.run())
        try:
            async with self._cluster:
                while True:
                    await self._election.lead(self._lead)
                    _log.warning("not leading any more; standing by")
        finally:
            status.cancel()
            with suppress(asyncio.CancelledError):
                await status

    async def _lead(self) -> None:
        pace = Pace(
            workers=self._settings.workers,
            rate=self._settings.rate,
            burst=self._settings.burst,
            resync=self._settings.resync,
        )
        self._controller = Controller(
            self._cluster,
            self._clock,
            self._settings.config,
            pace=pace,
            metrics=self._metrics,
            instance=self._identity,
        )
        try:
            await self._controller.run()
        finally:
            self._controller = None

    def _measure(self) -> None:
        self._metrics.watch_traffic(self._cluster.traffic)
        self._metrics.watch("leader", "1 while this process leads.", lambda: self._election.leading)
        self._measure_controller("queue_depth", "Objects that wait for their turn.", _depth)
        self._measure_controller("failing_objects", "Objects whose last pass failed.", _failing)
        self._measure_controller("events_dropped", "Kubernetes Events not written.", _dropped)

    def _measure_controller(self, name: str, meaning: str, read: Callable[[Controller], float]) -> None:
        def value() -> float:
            return 0.0 if self._controller is None else read(self._controller)

        self._metrics.watch(name, meaning, value)

    def _show_metrics(self) -> Answer:
        return HTTPStatus.OK, self._metrics.text()

    def _healthy(self) -> Answer:
        """The process answers; whatever the cluster does, a restart would not mend it."""
        return HTTPStatus.OK, b"ok\n"

    def _ready(self) -> Answer:
        """Standing by is ready as well: a roll-out must not wait for a lease that the old one holds."""
        controller = self._controller
        if controller is None:
            return HTTPStatus.OK, b"standing by\n"
        if controller.trouble is not None:
            return HTTPStatus.SERVICE_UNAVAILABLE, f"not following {controller.trouble}\n".encode()
        if not controller.working:
            return HTTPStatus.SERVICE_UNAVAILABLE, b"filling its caches\n"
        return HTTPStatus.OK, b"leading\n"


def _depth(controller: Controller) -> float:
    return len(controller.queue)


def _failing(controller: Controller) -> float:
    return controller.queue.failing


def _dropped(controller: Controller) -> float:
    return controller.events.dropped
