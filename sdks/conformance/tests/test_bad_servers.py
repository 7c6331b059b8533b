"""Servers that break HTTP or answer no end: an error of the run in time, or a failure with a name."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandkit_conformance.cli import run_command_line

from .command_lines import run
from .tiny_server import KEY, Handler, Server

Capture = pytest.CaptureFixture[str]
Conversation = Callable[[socket.socket, threading.Event], None]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@contextmanager
def talking(conversation: Conversation) -> Iterator[str]:
    """A port that reads a request's first bytes and then talks as told; gives its address."""
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer:
                try:
                    peer.recv(65536)
                    conversation(peer, over)
                except OSError:
                    continue

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            over.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def says(*parts: bytes, hang: bool = False) -> Conversation:
    def conversation(peer: socket.socket, over: threading.Event) -> None:
        for part in parts:
            peer.sendall(part)
        if hang:
            over.wait(30)

    return conversation


def endless(peer: socket.socket, over: threading.Event) -> None:
    peer.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    while not over.is_set():
        peer.sendall(chunk)


def dripping(peer: socket.socket, over: threading.Event) -> None:
    peer.sendall(HEAD + b"Content-Length: 100000\r\n\r\n")
    while not over.wait(0.05):
        peer.sendall(b" ")


SOON = "within 0.5 s"
SERVERS = {
    "hangs before the headers": (says(hang=True), f"no answer {SOON}"),
    "hangs within the headers": (says(b"HTTP/1.1 200 OK\r\nContent-", hang=True), f"no answer {SOON}"),
    "hangs within the body": (
        says(HEAD + b'Content-Length: 50\r\n\r\n{"ve', hang=True),
        f"an answer that did not end {SOON}",
    ),
    "drips": (dripping, f"an answer that did not end {SOON}"),
    "never ends": (endless, "a body of more than 8 MiB"),
    "closes before the headers": (says(), "closed the connection without a response"),
    "closes within the body": (
        says(HEAD + b'Content-Length: 50\r\n\r\n{"version": '),
        "the connection broke after 12 bytes",
    ),
    "closes within a chunk": (
        says(HEAD + b"Transfer-Encoding: chunked\r\n\r\n10\r\n{}"),
        "the connection broke after",
    ),
    "is no web server": (says(b"SSH-2.0-OpenSSH_9.9\r\n"), "not a proper HTTP answer"),
    "sends another length": (
        says(HEAD + b"Content-Length: minus one\r\n\r\n"),
        "not a proper HTTP answer",
    ),
    "sends headers without end": (
        says(HEAD + b"X: " + b"y" * 1_000_000 + b"\r\n", hang=True),
        "127.0.0.1",
    ),
    "answers nothing at all": (says(b"HTTP/1.1 204 No Content\r\n\r\n"), "is no list of sandboxes: 204"),
    "sends bytes that are no text": (
        says(HEAD + b"Content-Length: 4\r\n\r\n\xff\xfe\xfd\xfc"),
        "is no list of sandboxes",
    ),
    "nests without end": (
        says(HEAD + b"Content-Length: 200000\r\n\r\n" + b"[" * 200_000),
        "is no list of sandboxes",
    ),
}


def hasty(tmp_path: Path, message: str) -> list[str]:
    """A target that waits no longer than needed for servers that are expected to time out."""
    if SOON not in message:
        return []
    target = tmp_path / "hasty.yaml"
    target.write_text("version: 1\nbudgets: {request: 0.5}\n")
    return ["--target", str(target)]


@pytest.mark.parametrize(("conversation", "message"), SERVERS.values(), ids=SERVERS)
@pytest.mark.parametrize("command", ["run", "doctor"])
def test_a_server_that_breaks_http_is_2_in_time(
    command: str, conversation: Conversation, message: str, tmp_path: Path, capsys: Capture
) -> None:
    with talking(conversation) as address:
        began = time.monotonic()
        assert run_command_line([command, *hasty(tmp_path, message), "--base-url", f"http://{address}"]) == 2
        assert time.monotonic() - began < 20, "not within its budget"
    out, err = capsys.readouterr()
    assert message in out + err
    assert "Traceback" not in out + err
    assert "defect of the suite" not in out + err


def test_a_server_without_tls_is_2(capsys: Capture) -> None:
    with talking(says(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as address:
        assert run_command_line(["run", "--base-url", f"https://{address}/v1"]) == 2
    assert "cannot connect: [SSL" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["probe", "control"])
@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b'{"protocol": "sandkit-probe/9"}', "port speaks 'sandkit-probe/9'; this suite speaks"),
        (b"[]", "port speaks None"),
        (b"<html>", "answered something that is not JSON"),
        (b'{"protocol": "sandkit-PORT/1", "capabilities": 7}', "`capabilities` is no list of names: 7"),
    ],
)
def test_a_side_port_that_is_another_is_2(
    port: str, answer: bytes, message: str, server: Server, scenarios: Path, capsys: Capture
) -> None:
    body = answer.replace(b"PORT", port.encode())
    reply = HEAD + f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body
    with talking(says(reply)) as address:
        assert run(server, scenarios, f"--{port}-url", f"http://{address}") == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert "defect of the suite" not in error


def never_follow(where: str) -> Callable[[Handler], bool]:
    def redirect(handler: Handler) -> bool:
        if handler.route.path.endswith("/pause"):
            handler.raw(307, b"", {"Location": f"{where}{handler.route.path}"})
            return True
        return False

    return redirect


def test_a_redirect_is_an_answer_and_the_key_stays_here(
    server: Server, scenarios: Path, capsys: Capture
) -> None:
    heard: list[bytes] = []

    def listen(peer: socket.socket, over: threading.Event) -> None:
        heard.append(b"somebody came")

    with talking(listen) as address:
        server.world.misbehave = never_follow(f"http://{address}")
        assert run(server, scenarios, "--gate", "all") == 1
    assert heard == []
    out = capsys.readouterr().out
    assert "expected 202, observed 307" in out
    assert KEY not in out


def hang_on_pause(handler: Handler) -> bool:
    return handler.route.path.endswith("/pause") and (handler.server.world.released.wait(30) or True)


def endless_pause(handler: Handler) -> bool:
    if not handler.route.path.endswith("/pause"):
        return False
    handler.send_response(202)
    handler.send_header("Content-Type", "application/json")
    handler.end_headers()
    while not handler.server.world.released.is_set():
        handler.wfile.write(b" " * 65536)
    return True


def close_in_pause(handler: Handler) -> bool:
    if not handler.route.path.endswith("/pause"):
        return False
    handler.raw(202, b'{"id"', {"Content-Type": "application/json"}, length=500)
    return True


@pytest.mark.parametrize(
    ("misbehave", "message"),
    [
        (hang_on_pause, f"no answer {SOON}"),
        (endless_pause, "a body of more than 8 MiB"),
        (close_in_pause, "the connection broke after 5 bytes of the body"),
    ],
)
def test_a_server_that_breaks_in_the_middle_is_a_failure_with_a_name(
    misbehave: Callable[[Handler], bool],
    message: str,
    server: Server,
    scenarios: Path,
    tmp_path: Path,
    capsys: Capture,
) -> None:
    server.world.misbehave = misbehave
    began = time.monotonic()
    assert run(server, scenarios, "--gate", "all", *hasty(tmp_path, message)) == 1
    assert time.monotonic() - began < 30
    server.world.released.set()
    out = capsys.readouterr().out
    assert message in out
    assert "PAU-01 fail" in out


@pytest.mark.parametrize(
    "address",
    [
        "ftp://x",
        "http://",
        "http://x:0",
        "http://x:port",
        "http://user:secret@x/v1",
        "http://x/v1?key=y",
        "//x",
        "",
    ],
)
@pytest.mark.parametrize("option", ["--base-url", "--probe-url", "--control-url"])
def test_an_address_that_is_none_is_2(option: str, address: str, capsys: Capture) -> None:
    given = {"--base-url": "http://127.0.0.1:1", option: address}
    words = [word for pair in given.items() for word in pair]
    code = run_command_line(["run", *words])
    out, err = capsys.readouterr()
    assert code == 2
    assert "Traceback" not in err
    assert "secret" not in out + err
