from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sandkit_server.testing.control_plane.processes import Guard, Program, free_ports

_PATIENCE = 30.0
# Starts two programs and a guard, tells their ids, and waits to be killed.
_VICTIM = """
import sys, time, pathlib
from sandkit_server.testing.control_plane.processes import Guard, Program
folder = pathlib.Path(sys.argv[1])
guard = Guard(folder)
for name in "ab":
    program = Program(["sleep", "1000"], folder / f"{name}.log")
    guard.watch(program)
    print(program.process.pid, flush=True)
print("ready", flush=True)
time.sleep(1000)
"""


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_programs_and_folder_go_when_whoever_started_them_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "plane"
    folder.mkdir()
    victim = subprocess.Popen([sys.executable, "-c", _VICTIM, str(folder)], stdout=subprocess.PIPE, text=True)
    with victim:
        assert victim.stdout is not None
        told = [victim.stdout.readline().strip() for _ in range(3)]
        pids = [int(word) for word in told[:2]]
        assert told[2] == "ready"
        assert all(alive(pid) for pid in pids)
        victim.kill()
    deadline = time.monotonic() + _PATIENCE
    while any(alive(pid) for pid in pids) or folder.exists():
        assert time.monotonic() < deadline, "programs outlived whoever started them"
        time.sleep(0.01)


def test_a_dismissed_guard_touches_nothing(tmp_path: Path) -> None:
    guard = Guard(tmp_path)
    program = Program(["sleep", "1000"], tmp_path / "log")
    guard.watch(program)
    guard.dismiss()
    assert program.process.poll() is None
    assert tmp_path.exists()
    program.stop()
    assert program.process.returncode == -signal.SIGTERM


def test_a_program_that_ended_shows_its_last_words(tmp_path: Path) -> None:
    program = Program(["/bin/sh", "-c", "echo no such flag >&2; exit 3"], tmp_path / "log")
    program.process.wait()
    with pytest.raises(RuntimeError, match=r"sh ended with 3\n--- sh:\nno such flag"):
        program.check()
    program.stop()


def test_free_ports_are_different_and_free() -> None:
    ports = free_ports(5)
    assert len(set(ports)) == 5
    for port in ports:
        socket.create_server(("127.0.0.1", port)).close()
