"""Measure the server beside a bare Starlette route that answers the same bytes.

The two are measured in turn, round after round, on the same machine under the same load, so that the ratio
says something even when the absolute figures do not. Prints requests per second, the time from process start
to the first answer, and memory. Exit code 1 when a target is missed: a ratio of 0.6, the fastest start in
0.6 s (what else the machine does can only add to it).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from sandkit_server.testing import EmbeddedServer

HERE = Path(__file__).parent
LEAST_RATIO = 0.6
LONGEST_START = 0.6
STARTS = 7

CREATE = {
    "image": {"uri": "python:3.12-slim"},
    "entrypoint": ["python", "-m", "http.server", "8000"],
    "resourceLimits": {"cpu": "500m", "memory": "512Mi"},
    "metadata": {"team": "search"},
    "timeout": 3600,
}


@dataclass(frozen=True)
class Subject:
    """Something to load: the process, its port of this machine, and the request to send."""

    pid: int
    port: int
    request: bytes


class Sample(NamedTuple):
    """What one measurement told: requests per second, and microseconds of the server's processor for each."""

    rate: float
    cost: float


def measure(subject: Subject, options: argparse.Namespace) -> Sample:
    """Load the subject, by a process of its own."""
    command = [sys.executable, str(HERE / "load.py"), "127.0.0.1", str(subject.port)]
    command += [str(options.connections), str(options.seconds)]
    before = _processor_seconds(subject.pid)
    done = subprocess.run(command, input=subject.request, stdout=subprocess.PIPE, check=True)
    told = json.loads(done.stdout)
    used = _processor_seconds(subject.pid) - before
    return Sample(told["requests_per_second"], used / told["requests"] * 1e6)


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def ours(settings: dict[str, Any]) -> Iterator[tuple[Subject, bytes]]:
    """Our server with one running sandbox; also the bytes a GET of it answers."""
    with EmbeddedServer(subprocess=True, probe_port=None, control_port=None, **settings) as server:
        key = {"OPEN-SANDBOX-API-KEY": server.api_key or ""}
        with httpx.Client(base_url=server.base_url, headers=key) as client:
            made = client.post("/sandboxes", json=CREATE).raise_for_status().json()["id"]
            while (found := client.get(f"/sandboxes/{made}")).json()["status"]["state"] != "Running":
                time.sleep(0.01)
        port = int(server.base_url.split(":")[2].removesuffix("/v1"))
        assert server.pid is not None
        yield Subject(server.pid, port, _request(made, server.api_key or "")), found.content


@contextmanager
def bare(body: bytes, request: bytes) -> Iterator[Subject]:
    """The yardstick, answering ``body``."""
    with tempfile.TemporaryDirectory(prefix="sandkit-bench-") as folder:
        port_file, body_file = Path(folder) / "port", Path(folder) / "body"
        body_file.write_bytes(body)
        process = subprocess.Popen([sys.executable, str(HERE / "bare.py"), str(port_file), str(body_file)])
        try:
            while not port_file.exists() or not port_file.read_text():
                time.sleep(0.01)
            subject = Subject(process.pid, int(port_file.read_text()), request)
            _await_answer(subject.port)
            yield subject
        finally:
            process.terminate()
            process.wait()


def _request(sandbox: str, key: str) -> bytes:
    lines = [
        f"GET /v1/sandboxes/{sandbox} HTTP/1.1",
        "Host: 127.0.0.1",
        f"OPEN-SANDBOX-API-KEY: {key}",
        "Accept: */*",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def _await_answer(port: int) -> None:
    while True:
        try:
            httpx.get(f"http://127.0.0.1:{port}/v1/sandboxes/x")
        except httpx.TransportError:
            time.sleep(0.01)
        else:
            return


def ready_seconds() -> tuple[float, float]:
    """Time from starting the process to its first answer, and its resident memory in MiB then."""
    begun = time.perf_counter()
    with EmbeddedServer(subprocess=True, probe_port=None, control_port=None, log_level="warning") as server:
        httpx.get(f"{server.base_url}/health").raise_for_status()
        took = time.perf_counter() - begun
        status = Path(f"/proc/{server.pid}/status").read_text()
        resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return took, int(resident.split()[1]) / 1024


@dataclass(frozen=True)
class Comparison:
    """Medians over the rounds: ours, the yardstick, and how much of the yardstick's rate ours reaches."""

    own: Sample
    yardstick: Sample
    ratio: float

    def line(self, name: str) -> str:
        """For people."""
        own, other = (f"{each.rate:7.0f}/s {each.cost:4.0f} µs" for each in (self.own, self.yardstick))
        return f"{name:26}{own}   bare Starlette {other}   ratio {self.ratio:.2f}"


def compare(options: argparse.Namespace, settings: dict[str, Any]) -> Comparison:
    """Our server and the yardstick in turn, in short rounds: what disturbs the machine then disturbs both."""
    with ours(settings) as (subject, body), bare(body, subject.request) as yardstick:
        rounds = [(measure(subject, options), measure(yardstick, options)) for _ in range(options.rounds)]
    return Comparison(
        own=_middle([own for own, _ in rounds]),
        yardstick=_middle([other for _, other in rounds]),
        ratio=statistics.median(own.rate / other.rate for own, other in rounds),
    )


def _middle(samples: list[Sample]) -> Sample:
    return Sample(
        rate=statistics.median(sample.rate for sample in samples),
        cost=statistics.median(sample.cost for sample in samples),
    )


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="rounds of each measurement (9)")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of one of them (1)")
    parser.add_argument("--connections", type=int, default=16, help="connections that ask at once (16)")
    options = parser.parse_args()
    quiet = compare(options, {"log_level": "warning"})
    with tempfile.TemporaryDirectory(prefix="sandkit-bench-") as folder:
        logged = compare(options, {"access_log": True, "log": Path(folder) / "log"})
    starts = [ready_seconds() for _ in range(STARTS)]
    ready = min(took for took, _ in starts)
    memory = statistics.median(size for _, size in starts)
    print(quiet.line("GET one sandbox"))
    print(logged.line("  with the access log"))
    print(f"ready after process start {ready:6.2f} s   ({', '.join(f'{took:.2f}' for took, _ in starts)})")
    print(f"resident memory           {memory:6.0f} MiB")
    return 0 if quiet.ratio >= LEAST_RATIO and ready <= LONGEST_START else 1


if __name__ == "__main__":
    sys.exit(main())
