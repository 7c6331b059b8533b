"""The programs of the control plane, built from Go modules once and kept in a cache."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[5]
_BUILD: Final = ROOT / "server_stub" / "deploy" / "control_plane" / "build.sh"


class ProgramsMissing(RuntimeError):  # noqa: N818 - named for what happened
    """The programs are not there and cannot be built; the text says what is needed."""


@dataclass(frozen=True, slots=True)
class Programs:
    """The folder that holds the programs."""

    folder: Path

    @property
    def etcd(self) -> Path:
        """Keeps the objects."""
        return self.folder / "etcd"

    @property
    def api_server(self) -> Path:
        """Serves them."""
        return self.folder / "kube-apiserver"

    @property
    def controller_manager(self) -> Path:
        """Garbage collector, jobs, quotas, service accounts, namespaces."""
        return self.folder / "kube-controller-manager"

    @property
    def scheduler(self) -> Path:
        """Gives pods their node."""
        return self.folder / "kube-scheduler"

    @property
    def kubectl(self) -> Path:
        """The command line client."""
        return self.folder / "kubectl"

    @property
    def helm(self) -> Path:
        """Renders charts."""
        return self.folder / "helm"


def build() -> Programs:
    """The programs, built first where they are missing or out of date: minutes the first time, then at once.

    Progress goes to standard error. Raises ProgramsMissing.
    """
    if not _BUILD.is_file():
        raise ProgramsMissing(
            f"the control plane is built from a checkout of the repository; {_BUILD} is not there"
        )
    done = subprocess.run(["/bin/sh", str(_BUILD)], stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        raise ProgramsMissing(
            f"{_BUILD} ended with {done.returncode}; its last words above say what is missing"
        )
    return Programs(Path(done.stdout.strip().splitlines()[-1]))
