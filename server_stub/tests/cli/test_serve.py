"""``sandkit-server serve`` as a process: what it refuses, what it says, and how it ends."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import httpx
import pytest

from .conftest import Start

Ready = Callable[[subprocess.Popen[str]], dict[str, Any]]
QUICK = ("serve", "--port", "0", "--ready-file", "ready.json")


def _finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=20)
    return process.returncode, out, err


def test_version_is_the_distributions(start: Start) -> None:
    assert _finish(start("version")) == (0, metadata.version("sandkit-server") + "\n", "")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--host", "0.0.0.0"), "OPEN_SANDBOX_API_KEY"),
        (("--host", "::"), "let everybody in"),
        (("--host", "example.test"), "let everybody in"),
        (("--api-key", "with space"), "printable ASCII"),
        (("--api-key", ""), "printable ASCII"),
        (("--port", "65536"), "--port 65536"),
        (("--port", "-1"), "--port -1"),
        (("--port", "http"), "--port"),
        (("--probe-port", "0"), "SANDKIT_PROBE_KEY"),
        (("--control-port", "0"), "SANDKIT_CONTROL_KEY"),
        (("--api-key", "k", "--probe-port", "0", "--probe-key", "k"), "key of their own"),
        (
            ("--probe-port", "0", "--probe-key", "k", "--control-port", "0", "--control-key", "k"),
            "key of their own",
        ),
        (("--max-lifetime", "59"), "--max-lifetime 59"),
        (("--max-body-bytes", "0"), "--max-body-bytes 0"),
        (("--max-sandboxes", "0"), "--max-sandboxes 0"),
        (("--transition-time", "-1"), "--transition-time"),
        (("--shutdown-grace", "inf"), "--shutdown-grace"),
        (("--allowed-host-prefix", "relative"), "absolute path"),
        (("--allowed-host-prefix", "/a/../etc"), "absolute path"),
        (("--ready-file", "no/such/folder/ready.json"), "no such folder"),
        (("--pause-mode", "sleep"), "--pause-mode"),
        (("--runtime", "podman"), "--runtime"),
        (("--without", "volumes"), "--without"),
        (("--ready-timeout", "0"), "--ready-timeout"),
        (("--reconcile-interval", "0"), "--reconcile-interval"),
        (("--reconcile-grace", "-1"), "--reconcile-grace"),
        (("--claim-storage", "big"), "--claim-storage"),
        (("--claim-access-mode", "ReadSometimes"), "--claim-access-mode"),
        (("--namespace", "here"), "--namespace is an option of the kubernetes runtime"),
        (("--runtime", "kubernetes", "--pause-mode", "freeze"), "--runtime memory"),
        (("--runtime", "kubernetes", "--without", "pools"), "--without is an option of the memory runtime"),
        (("--runtime", "kubernetes", "--namespace", "Not_A_Name"), "--namespace Not_A_Name"),
        (("--runtime", "kubernetes", "--workload-provider", "pods"), "--workload-provider"),
        (("--runtime", "kubernetes", "--image-pull-policy", "Sometimes"), "--image-pull-policy"),
        (("--runtime", "kubernetes", "--endpoints", "node"), "--endpoints"),
        (("--runtime", "kubernetes", "--kubeconfig", "no/such/file"), "no such file"),
        (("--runtime", "kubernetes", "--pod-template", "no/such/file"), "no such file"),
        (("--runtime", "kubernetes", "--snapshot-pull-secret", "A B"), "--snapshot-pull-secret"),
        (("--runtime", "kubernetes", "--probe-port", "0", "--probe-key", "p"), "only the memory runtime"),
        (("--runtime", "kubernetes", "--control-port", "0", "--control-key", "p"), "only the memory runtime"),
        (("--prot", "80"), "--prot"),
    ],
)
def test_settings_that_are_wrong_or_unsafe_are_refused_with_a_reason(
    start: Start, arguments: tuple[str, ...], told: str
) -> None:
    code, out, err = _finish(start("serve", *arguments))
    assert code == 2
    assert told in err
    assert "Traceback" not in err
    assert out == ""


def test_no_command_is_wrong_usage(start: Start) -> None:
    code, _, err = _finish(start())
    assert code == 2
    assert "COMMAND" in err


@pytest.mark.parametrize("option", ["--port", "--probe-port"])
def test_a_taken_port_is_told_without_a_traceback(start: Start, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, _, err = _finish(start("serve", "--port", "0", "--probe-key", "p", option, port))
    assert code == 2
    assert "the address is taken" in err
    assert "Traceback" not in err


def test_a_cluster_nobody_knows_how_to_reach_is_told_without_a_traceback(start: Start) -> None:
    code, out, err = _finish(
        start("serve", "--runtime", "kubernetes", "--port", "0", "--context", "elsewhere")
    )
    assert code == 3
    assert "It is not known how to reach the cluster" in err
    assert "--kubeconfig" in err
    assert "Traceback" not in err
    assert out == ""


def test_a_foreign_address_is_told_without_a_traceback(start: Start) -> None:
    code, _, err = _finish(start("serve", "--host", "192.0.2.1", "--port", "0", "--api-key", "k"))
    assert code == 2
    assert "no such address" in err
    assert "Traceback" not in err


def test_with_a_key_it_listens_wherever_it_is_told(start: Start, ready: Ready) -> None:
    process = start(*QUICK, "--host", "0.0.0.0", OPEN_SANDBOX_API_KEY="from-environment")
    url = ready(process)["baseUrl"]
    assert httpx.get(f"{url}/sandboxes").status_code == 401
    headers = {"OPEN-SANDBOX-API-KEY": "from-environment"}
    assert httpx.get(f"{url}/sandboxes", headers=headers).status_code == 200


def test_without_a_key_it_serves_this_machine(start: Start, ready: Ready) -> None:
    process = start(*QUICK)
    told = ready(process)
    assert told["baseUrl"].startswith("http://127.0.0.1:")
    assert (told["probeUrl"], told["controlUrl"], told["pid"]) == (None, None, process.pid)
    assert httpx.get(f"{told['baseUrl']}/sandboxes").status_code == 200


def test_an_option_wins_over_the_environment(start: Start, ready: Ready) -> None:
    url = ready(start(*QUICK, "--api-key", "option", OPEN_SANDBOX_API_KEY="environment"))["baseUrl"]
    assert httpx.get(f"{url}/sandboxes", headers={"OPEN-SANDBOX-API-KEY": "environment"}).status_code == 401
    assert httpx.get(f"{url}/sandboxes", headers={"OPEN-SANDBOX-API-KEY": "option"}).status_code == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_good_order(start: Start, ready: Ready, number: signal.Signals) -> None:
    process = start(*QUICK, "--shutdown-grace", "60")
    url = ready(process)["baseUrl"]
    with httpx.Client() as kept_open:  # which is not waited for
        kept_open.get(f"{url}/health")
        process.send_signal(number)
        code, _, err = _finish(process)
        assert code == 0
        assert "Traceback" not in err
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{url}/health")


def _held_pause(start: Start, ready: Ready, grace: str) -> tuple[subprocess.Popen[str], dict[str, Any], str]:
    """A server, and a running sandbox whose create the control holds open at the readiness gate."""
    process = start(
        *QUICK, "--shutdown-grace", grace, "--control-port", "0",
        SANDKIT_CONTROL_KEY="c", OPEN_SANDBOX_API_KEY="k",
    )  # fmt: skip
    told = ready(process)
    gate = httpx.post(
        f"{told['controlUrl']}/v1/gates",
        json={"point": "workload.create", "when": "before"},
        headers={"SANDKIT-CONTROL-KEY": "c"},
    )
    assert gate.status_code == 201, gate.text
    return process, told, gate.json()["id"]


def _create(told: dict[str, Any], answers: list[httpx.Response]) -> None:
    body = {"image": {"uri": "a"}, "entrypoint": ["x"], "resourceLimits": {"cpu": "1"}}
    headers = {"OPEN-SANDBOX-API-KEY": "k"}
    answers.append(httpx.post(f"{told['baseUrl']}/sandboxes", json=body, headers=headers, timeout=30))


def _wait_held(told: dict[str, Any], gate: str) -> None:
    held = httpx.get(
        f"{told['controlUrl']}/v1/gates/{gate}?wait=20", headers={"SANDKIT-CONTROL-KEY": "c"}, timeout=30
    )
    assert held.json()["held"] == 1


def test_requests_under_way_finish_and_new_ones_are_sent_away(start: Start, ready: Ready) -> None:
    process, told, gate = _held_pause(start, ready, "10")
    answers: list[httpx.Response] = []
    asking = threading.Thread(target=_create, args=(told, answers))
    asking.start()
    _wait_held(told, gate)
    process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + 30
    while True:
        try:
            httpx.get(f"{told['baseUrl']}/health", timeout=1)
        except httpx.TransportError:
            break
        assert time.monotonic() < deadline
        time.sleep(0.02)
    httpx.post(
        f"{told['controlUrl']}/v1/gates/{gate}/release", headers={"SANDKIT-CONTROL-KEY": "c"}
    ).raise_for_status()
    asking.join(timeout=20)
    code, _, err = _finish(process)
    assert code == 0
    assert "Traceback" not in err
    assert [answer.status_code for answer in answers] == [202]


def test_a_request_that_does_not_finish_is_ended_with_503_within_the_grace(
    start: Start, ready: Ready
) -> None:
    process, told, gate = _held_pause(start, ready, "0.3")
    answers: list[httpx.Response] = []
    asking = threading.Thread(target=_create, args=(told, answers))
    asking.start()
    _wait_held(told, gate)
    process.send_signal(signal.SIGTERM)
    code, _, err = _finish(process)
    asking.join(timeout=20)
    assert code == 0
    assert "Traceback" not in err
    (answer,) = answers
    assert (answer.status_code, answer.json()["code"]) == (503, "REQUEST::UNAVAILABLE")


def test_a_second_signal_does_not_wait(start: Start, ready: Ready) -> None:
    process, told, gate = _held_pause(start, ready, "60")
    asking = threading.Thread(target=_swallow, args=(told,))
    asking.start()
    _wait_held(told, gate)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == -signal.SIGTERM
    asking.join(timeout=10)


def _swallow(told: dict[str, Any]) -> None:
    try:
        _create(told, [])
    except httpx.TransportError:
        return


def test_the_log_tells_requests_and_no_secret(start: Start, ready: Ready) -> None:
    process = start(*QUICK, "--access-log", OPEN_SANDBOX_API_KEY="the-api-key")
    url = ready(process)["baseUrl"]
    body = {
        "image": {"uri": "a", "auth": {"username": "u", "password": "registry-secret"}},
        "entrypoint": ["x"],
        "resourceLimits": {"cpu": "1"},
        "env": {"TOKEN": "environment-secret"},
    }
    headers = {"OPEN-SANDBOX-API-KEY": "the-api-key", "X-Request-ID": "find-me"}
    httpx.post(f"{url}/sandboxes?token=query-secret", json=body, headers=headers).raise_for_status()
    httpx.post(f"{url}/sandboxes", json={**body, "timeout": 1}, headers=headers)
    httpx.get(f"{url}/sandboxes", headers={"OPEN-SANDBOX-API-KEY": "wrong-secret"})
    process.terminate()
    _, _, err = _finish(process)
    told = [json.loads(line) for line in err.splitlines() if line.startswith("{")]
    assert [(line["method"], line["status"]) for line in told] == [("POST", 202), ("POST", 400), ("GET", 401)]
    assert told[0]["requestId"] == "find-me"
    assert "secret" not in err
    assert "the-api-key" not in err


def test_requests_are_logged_only_when_asked_for(start: Start, ready: Ready) -> None:
    process = start(*QUICK)
    httpx.get(f"{ready(process)['baseUrl']}/health", headers={"X-Request-ID": "find-me"}).raise_for_status()
    process.terminate()
    _, _, err = _finish(process)
    assert "serving http://127.0.0.1:" in err
    assert "find-me" not in err


def test_the_ready_file_is_whole_when_it_appears(start: Start, ready: Ready, tmp_path: Path) -> None:
    process = start(*QUICK)
    ready(process)
    assert [path.name for path in tmp_path.iterdir()] == ["ready.json"]
