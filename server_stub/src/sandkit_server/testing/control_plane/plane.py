"""One control plane: four programs on free ports of loopback, with a folder and certificates of its own.

It has no nodes: pods are made, scheduled once there is a node object, and run by nobody unless a stand-in
plays the kubelet.
"""

from __future__ import annotations

import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx2

from sandkit_server.kubernetes.connection import Connection
from sandkit_server.testing.control_plane import flags
from sandkit_server.testing.control_plane.administration import Administration
from sandkit_server.testing.control_plane.identities import Address, Identity
from sandkit_server.testing.control_plane.pki import Authority, KeyPair, signing_key
from sandkit_server.testing.control_plane.processes import Guard, Program, free_ports
from sandkit_server.testing.control_plane.programs import ROOT, Programs

DEFINITIONS: Final = ROOT / "specs" / "crds"

_START_SECONDS: Final = 90.0
_POLL_SECONDS: Final = 0.05


class ControlPlane:
    """Runs from ``start`` to ``stop``; a context manager. Ends also when this process is killed.

    Attributes:
        admin: May do everything; has a client certificate and a token.
        administration: Makes namespaces, accounts, quotas and what else a test needs around it.
        address: Where the API server listens.
    """

    def __init__(self, programs: Programs, definitions: Sequence[Path] = (DEFINITIONS,)) -> None:
        """Start nothing yet.

        Args:
            programs: What to run.
            definitions: Files, or folders of files, with CustomResourceDefinitions. The garbage collector
                looks for new kinds only every 30 seconds, so they are there before it starts.
        """
        self._programs = programs
        self._definitions = definitions
        self.folder = Path(tempfile.mkdtemp(prefix="sandkit-control-plane-"))
        self._authority = Authority("sandkit control plane")
        self._etcd_port, self._peer_port, api_port = free_ports(3)
        self.address = Address(
            server=f"https://127.0.0.1:{api_port}", authority=self._authority.pair.certificate
        )
        self._api_port = api_port
        self.admin = Identity(
            name="admin",
            token=secrets.token_urlsafe(24),
            pair=self._authority.client("admin", ["system:masters"]),
        )
        self.administration = Administration(self.address, self.admin)
        self._guard: Guard | None = None
        self._running: dict[str, Program] = {}
        self._kinds: set[str] = set()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    # --- life -------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start everything; return when objects are served, collected and scheduled. Raises RuntimeError."""
        self._guard = Guard(self.folder)
        try:
            self._write_files()
            self._run("etcd", flags.etcd(self._programs, self.folder, self._etcd_port, self._peer_port))
            self._start_api_server()
            self.install_crds(*self._definitions)
            self._run("controllers", flags.controller_manager(self._programs, self.folder))
            self._run("scheduler", flags.scheduler(self._programs, self.folder))
            self._await("the service account controller", self.administration.has_default_account)
            owned = self.administration.create_orphan()
            self._await("the garbage collector", lambda: not self.administration.exists(owned))
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End everything and remove the folder."""
        self.administration.close()
        for program in reversed(tuple(self._running.values())):
            # Nothing is kept, so nothing needs to end gracefully.
            program.stop(signal.SIGKILL)
        self._running.clear()
        if self._guard is not None:
            self._guard.dismiss()
            self._guard = None
        shutil.rmtree(self.folder, ignore_errors=True)

    def stop_api_server(self, *, gracefully: bool = False) -> None:
        """End the API server; etcd and the controllers stay."""
        self._running.pop("api-server").stop(signal.SIGTERM if gracefully else signal.SIGKILL)

    def restart_api_server(self, *, gracefully: bool = False) -> None:
        """End the API server and start it again at the same address; return when it serves every kind."""
        if "api-server" in self._running:
            self.stop_api_server(gracefully=gracefully)
        self._start_api_server()

    def compact(self) -> int:
        """Let etcd forget every version but the present ones; gives the revision it kept."""
        url = f"http://127.0.0.1:{self._etcd_port}/v3/kv"
        with httpx2.Client(trust_env=False) as client:
            answer = client.post(f"{url}/range", json={"key": "AA==", "limit": 1}).raise_for_status().json()
            revision = int(answer["header"]["revision"])
            client.post(f"{url}/compaction", json={"revision": revision, "physical": True}).raise_for_status()
        return revision

    @property
    def processes(self) -> dict[str, int]:
        """The process id of each program."""
        return {name: program.process.pid for name, program in self._running.items()}

    def memory(self) -> dict[str, int]:
        """Resident bytes of each program."""
        found = {}
        for name, pid in self.processes.items():
            status = Path(f"/proc/{pid}/status").read_text("ascii")
            kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
            found[name] = 1024 * int(kilobytes)
        return found

    # --- ways in ----------------------------------------------------------------------------------------

    def connection(self, namespace: str = "default", identity: Identity | None = None) -> Connection:
        """How code of ours connects; by default as the administrator."""
        return self.address.connection(identity or self.admin, namespace)

    def kubeconfig(self, namespace: str = "default", identity: Identity | None = None) -> str:
        """How any other program does: the text of a kubeconfig."""
        return self.address.kubeconfig(identity or self.admin, namespace)

    def user(self, name: str, groups: Sequence[str] = ()) -> Identity:
        """A user with a certificate, and with no permission unless a role is bound to it."""
        return Identity(name=name, pair=self._authority.client(name, groups))

    def install_crds(self, *paths: Path) -> None:
        """Make the definitions in files or folders known, and wait until their kinds are served.

        Raises RuntimeError if the API server refuses one.
        """
        for path in paths or (DEFINITIONS,):
            for file in sorted(path.glob("*.yaml")) if path.is_dir() else [path]:
                self._kinds.update(self.administration.apply_definitions(file.read_text("utf-8")))
        self._await_kinds()

    def kubectl(self, *arguments: str, input_text: str = "", namespace: str = "default") -> str:
        """What ``kubectl`` prints. Raises RuntimeError with its complaint."""
        config = self.folder / "admin.conf"
        done = subprocess.run(  # noqa: S603 - our own build
            [str(self._programs.kubectl), "--kubeconfig", str(config), "--namespace", namespace, *arguments],
            input=input_text,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    # --- inside -----------------------------------------------------------------------------------------

    def _write_files(self) -> None:
        pairs: dict[str, KeyPair] = {
            "ca": self._authority.pair,
            "api-server": self._authority.server("localhost", "127.0.0.1", "kubernetes.default.svc"),
            "accounts": signing_key(),
        }
        for name, pair in pairs.items():
            self._write(f"{name}.crt", pair.certificate.decode("ascii"))
            self._write(f"{name}.key", pair.key.decode("ascii"))
        self._write("tokens.csv", f'{self.admin.token},admin,admin,"system:masters"\n')
        for name in ("controller-manager", "scheduler"):
            identity = self.user(f"system:kube-{name}")
            self._write(f"{name}.conf", self.address.kubeconfig(identity, "default"))
        self._write("admin.conf", self.kubeconfig())

    def _write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text, "utf-8")

    def _start_api_server(self) -> None:
        self._run(
            "api-server", flags.api_server(self._programs, self.folder, self._api_port, self._etcd_port)
        )
        self._await("the API server", self.administration.is_ready)
        self._await_kinds()

    def _await_kinds(self) -> None:
        """A started API server is ready before it serves the kinds that others defined."""
        for name in sorted(self._kinds):
            self._await(f"the kind {name}", partial(self.administration.is_served, name))

    def _run(self, name: str, command: Sequence[str]) -> None:
        assert self._guard is not None, "start() makes it first"
        program = Program(command, self.folder / f"{name}.log")
        self._guard.watch(program)
        self._running[name] = program

    def _await(self, what: str, holds: Callable[[], Any]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not holds():
            for program in self._running.values():
                program.check()
            if time.monotonic() > deadline:
                logs = "\n".join(program.last_words() for program in self._running.values())
                raise RuntimeError(f"{what} was not there after {_START_SECONDS:g} seconds\n{logs}")
            time.sleep(_POLL_SECONDS)
