"""What the controller measures, in the names and units of Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sandkit_server.controller.reconciler import Result

_PREFIX: Final = "sandkit_controller"
_SECONDS: Final = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)

# Requests by (verb, resource, HTTP status), as the cluster counts them.
Traffic = Mapping[tuple[str, str, int], int]


class Metrics:
    """A registry of its own: passes as they happen, everything else read when it is asked for."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._passes = Counter(
            f"{_PREFIX}_reconciles",
            "Passes over an object, by how they ended.",
            ["kind", "result"],
            registry=self._registry,
        )
        self._crashes = Counter(
            f"{_PREFIX}_reconcile_crashes",
            "Passes ended by a defect of the controller.",
            ["kind"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            f"{_PREFIX}_reconcile_seconds",
            "How long passes took.",
            ["kind"],
            buckets=_SECONDS,
            registry=self._registry,
        )

    def passed(self, kind: str, result: Result, seconds: float) -> None:
        """Count a pass."""
        self._passes.labels(kind, str(result)).inc()
        self._seconds.labels(kind).observe(seconds)

    def crashed(self, kind: str) -> None:
        """Count a pass that ended by a defect."""
        self._crashes.labels(kind).inc()

    def watch_traffic(self, traffic: Traffic) -> None:
        """Give out how many requests the API server answered how; status 0 stands for no answer."""
        self._registry.register(_Traffic(traffic))

    def watch(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        """Give out a value as it is at the time."""
        self._registry.register(_Gauge(f"{_PREFIX}_{name}", meaning, value))

    def text(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self._registry)


class _Gauge(Collector):
    def __init__(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        self._name = name
        self._meaning = meaning
        self._value = value

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(self._name, self._meaning, value=self._value())


class _Traffic(Collector):
    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic

    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily(
            f"{_PREFIX}_api_requests", "Requests to the API server.", labels=["verb", "resource", "status"]
        )
        for (verb, resource, status), number in tuple(self._traffic.items()):
            family.add_metric([verb, resource, str(status)], number)
        yield family
