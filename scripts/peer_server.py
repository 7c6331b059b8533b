"""The public opensandbox-server over Docker or a control plane of ours: installed apart, run, ended.

It is not part of sandkit. It lives in an environment below the cache, is reached on loopback only, and finds
neither a registry nor a proxy: what it would send out of this machine ends at a closed port.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

ROOT: Final = Path(__file__).resolve().parent.parent
LOCK: Final = ROOT / "requirements" / "peer-opensandbox-server.txt"
AGENT: Final = ROOT / "server_stub" / "deploy" / "docker" / "agent"
BASE_IMAGE: Final = "sandkit/busybox:1"
AGENT_IMAGE: Final = "sandkit/agent-stand-in:1"
# Debian's own client: another one in the path may be too new for Debian's engine.
DOCKER: Final = "/usr/bin/docker"
# Port 9 of loopback answers nobody.
NOWHERE: Final = {
    "HTTP_PROXY": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "NO_PROXY": "127.0.0.1,localhost",
}
# On a busy machine its imports alone take most of a minute.
START_SECONDS: Final = 150.0
STOP_SECONDS: Final = 20.0

_CONFIGURATION: Final = """\
[server]
host = "127.0.0.1"
port = {port}
api_key = "{key}"
max_sandbox_timeout_seconds = 86400

[proxy]
resolve_internal = false

[storage]
allowed_host_paths = ["{home}/shared"]

[store]
type = "sqlite"
path = "{home}/store.db"

{runtime}"""
_DOCKER_RUNTIME: Final = f"""\
[runtime]
type = "docker"
execd_image = "{AGENT_IMAGE}"

[docker]
network_mode = "bridge"
publish_host = "127.0.0.1"
"""


class PeerError(Exception):
    """The server cannot be installed or does not come up; the message says what to look at."""


def cache() -> Path:
    """Where sandkit keeps what it has built or fetched."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("SANDKIT_CACHE") or base / "sandkit")


def install() -> Path:
    """Make the server's environment, unless it is there as the lock wants it; the folder of its programs.

    Raises:
        PeerError: a package could not be installed.
    """
    home = cache() / "peers" / "opensandbox-server"
    venv, stamp = home / "venv", home / "installed.txt"
    if not (stamp.is_file() and stamp.read_bytes() == LOCK.read_bytes()):
        shutil.rmtree(venv, ignore_errors=True)
        home.mkdir(parents=True, exist_ok=True)
        _run([sys.executable, "-m", "venv", "--without-pip", str(venv)])
        _install_locked(venv / "bin" / "python")
        stamp.write_bytes(LOCK.read_bytes())
    return venv / "bin"


def _install_locked(python: Path) -> None:
    locked = ("--require-hashes", "--requirement", str(LOCK))
    uv = str(Path(sys.executable).with_name("uv"))
    try:
        _run([uv, "pip", "install", "--quiet", "--exact", "--python", str(python), *locked])
    except PeerError:
        # uv reads no pip configuration. Where only pip knows the package index, pip does the same, slower.
        pip = (sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet")
        _run([*pip, "--disable-pip-version-check", *locked])


def build_agent(docker_host: str) -> None:
    """Build the image that stands in for the in-sandbox agent, which the server copies into each sandbox.

    Raises:
        PeerError: the engine could not build it.
    """
    # The classic builder needs nothing but the base image, which is there already.
    environment = {**os.environ, "DOCKER_HOST": docker_host, "DOCKER_BUILDKIT": "0"}
    _run([DOCKER, "build", "--quiet", "--tag", AGENT_IMAGE, str(AGENT)], environment)


def _run(command: list[str], environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PeerError(
            f"{' '.join(command[:4])} …: {done.stderr.strip()[-2000:] or done.stdout.strip()[-2000:]}"
        )


class PeerServer:
    """One server on a free port, with a key and a state of its own; use it as a context manager.

    Args:
        home: Folder for its state and its log; what is in it from an earlier run is removed.
        runtime: The tables of its configuration that say where sandboxes run.
        environment: What it finds in its environment besides.
    """

    def __init__(self, home: Path, runtime: str, environment: Mapping[str, str] | None = None) -> None:
        self.api_key = secrets.token_urlsafe(24)
        self.log = home / "server.log"
        self._home = home
        self._runtime = runtime
        self._environment = environment or {}
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def base_url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def pid(self) -> int:
        """Its process, while it runs."""
        assert self._process is not None, "it runs inside the block"
        return self._process.pid

    def __enter__(self) -> Self:
        programs = install()
        shutil.rmtree(self._home, ignore_errors=True)
        (self._home / "shared").mkdir(parents=True)
        configuration = self._home / "config.toml"
        fields = {"port": self._port, "key": self.api_key, "runtime": self._runtime, "home": self._home}
        configuration.write_text(_CONFIGURATION.format_map(fields), "utf-8")
        configuration.chmod(0o600)
        # It keeps files below its home folder, too; and it is not to find a proxy or a key of ours.
        environment = {
            "PATH": os.defpath,
            "HOME": str(self._home),
            **NOWHERE,
            **self._environment,
        }
        with self.log.open("wb") as log:
            command = [str(programs / "opensandbox-server"), "--config", str(configuration)]
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            self._await_health()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _await_health(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with opener.open(f"http://127.0.0.1:{self._port}/health", timeout=2):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        raise PeerError(f"opensandbox-server does not answer; its log: {self.log}\n{self._end_of_log()}")

    def _end_of_log(self) -> str:
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-8:])

    def _end(self) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def over_docker(docker_host: str, home: Path) -> PeerServer:
    """One over the Docker engine at this address. Raises PeerError when its agent's image cannot be built."""
    build_agent(docker_host)
    return PeerServer(home, _DOCKER_RUNTIME, {"DOCKER_HOST": docker_host})


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def main() -> int:
    """Serve until interrupted, for looking at it by hand: `DOCKER_HOST=… python -m scripts.peer_server`."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        state = cache() / "peers" / "opensandbox-server" / "state"
        with over_docker(os.environ["DOCKER_HOST"], state) as server:
            print(f"export S={server.base_url} K='OPEN-SANDBOX-API-KEY: {server.api_key}'", flush=True)
            signal.pause()
    except KeyboardInterrupt:
        return 0
    except PeerError as error:
        print(f"peer-server: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
