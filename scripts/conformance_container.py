"""Builds the suite's container recipe and certifies a server from inside of it.

    python -m scripts.conformance_container

Needs root and Debian: the Docker engine is engine.sh's, which finds no registry. What the recipe takes from
outside is therefore made here: its base image out of Debian's own Python, the package index out of a folder
of wheels. The recipe itself is taken as it is. Exit codes: 0, 1 when something is not as a user would expect
it, 2 when there is no engine.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts.conformance_docker import EngineError, docker_engine
from scripts.peer_server import DOCKER
from scripts.try_pipeline import REPORTS, SUITE, PipelineError, build_wheel, expect, scratch

from sandkit_server.testing import EmbeddedServer

RECIPE: Final = SUITE / "ci" / "Containerfile"
IMAGE: Final = "sandkit-conformance"
# Where the recipe sees what lies beside it.
CONTEXT: Final = "/context"
# The user of the image, who has to be able to write into the checkout.
USER: Final = 1000
RELEASE: Final = "bookworm"
APT: Final = "/usr/bin/apt-get"
DEBOOTSTRAP: Final = "/usr/sbin/debootstrap"


@dataclass(frozen=True, slots=True)
class Engine:
    """The Docker engine at an address, through Debian's own client."""

    address: str

    @property
    def _environment(self) -> dict[str, str]:
        return {**os.environ, "DOCKER_HOST": self.address, "DOCKER_BUILDKIT": "1"}

    def run(self, *arguments: str) -> int:
        """Run the client; its exit code."""
        return subprocess.run([DOCKER, *arguments], env=self._environment, check=False).returncode

    def ask(self, *arguments: str) -> str:
        """What the client prints. Raises CalledProcessError."""
        done = subprocess.run(
            [DOCKER, *arguments], env=self._environment, check=True, stdout=subprocess.PIPE, text=True
        )
        return done.stdout.strip()


def quietly(*command: str) -> str:
    """What a program prints. Raises PipelineError with the end of it when it fails."""
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise PipelineError(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout[-1000:]}")
    return done.stdout


def base_of(recipe: str) -> str:
    """The image that a recipe begins with, its arguments filled in."""
    arguments = dict(re.findall(r"^ARG (\w+)=(\S+)$", recipe, re.MULTILINE))
    (name,) = re.findall(r"^FROM (\S+)$", recipe, re.MULTILINE)
    return re.sub(r"\$\{(\w+)\}", lambda found: arguments[found[1]], str(name))


def make_base(engine: Engine, name: str) -> None:
    """A stand-in of that name with Debian's own Python, whose pip knows the context as its only index."""
    if engine.ask("image", "ls", "--quiet", name.removeprefix("docker.io/library/")):
        return
    print(f"      making {name} out of Debian's packages", flush=True)
    with tempfile.TemporaryDirectory(prefix="sandkit-base-") as folder:
        root = Path(folder) / "root"
        bootstrap(root)
        (root / "usr" / "bin" / "python").symlink_to("python3")
        for marker in root.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
            marker.unlink()
        (root / "etc" / "pip.conf").write_text(f"[global]\nno-index = true\nfind-links = {CONTEXT}\n")
        archive = str(Path(folder) / "root.tar")
        quietly("/usr/bin/tar", "-C", str(root), "--numeric-owner", "-cf", archive, ".")
        engine.ask("import", archive, name)


def bootstrap(root: Path) -> None:
    """A Debian with Python and pip in that folder, from the mirror that apt goes by."""
    if not Path(DEBOOTSTRAP).exists():
        quietly(APT, "update")
        quietly(APT, "install", "-y", "--no-install-recommends", "debootstrap")
    sources = quietly(APT, "indextargets", "--format", "$(CODENAME) $(REPO_URI)")
    mirrors = [line.split()[1] for line in sources.splitlines() if line.startswith(f"{RELEASE} ")]
    if not mirrors:
        raise PipelineError(f"apt knows no mirror of {RELEASE}; this needs Debian 12")
    quietly(DEBOOTSTRAP, "--variant=minbase", "--include=python3,python3-pip", RELEASE, str(root), mirrors[0])


def build(engine: Engine) -> None:
    """Build the recipe with its defaults, the suite's wheel and all that it needs beside it."""
    base = base_of(RECIPE.read_text("utf-8"))
    make_base(engine, base)
    version = "import sys; print('%d.%d' % sys.version_info[:2])"
    python = engine.ask("run", "--rm", base, "python3", "-c", version)
    with tempfile.TemporaryDirectory(prefix="sandkit-context-") as context:
        wheel = str(build_wheel(Path(context)))
        options = ("--only-binary=:all:", f"--python-version={python}", f"--dest={context}")
        quietly(sys.executable, "-m", "pip", "download", *options, wheel)
        code = engine.run("build", "--network", "none", "--file", str(RECIPE), "--tag", IMAGE, context)
    expect(code == 0, f"{RECIPE.name} builds with its defaults")


def try_image(engine: Engine) -> None:
    """Use the image as a pipeline does: the server is elsewhere, the checkout is its only folder."""
    told = engine.ask("run", "--rm", "--entrypoint", "id", IMAGE, "-u")
    expect(told == str(USER), "it runs as a user without rights")
    gateway = engine.ask("network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}")
    server = EmbeddedServer(subprocess=True, host=gateway, probe_port=None, control_port=None)
    with server, scratch(server) as (repository, environment):
        for path in (repository, *repository.iterdir()):
            os.chown(path, USER, USER)

        def certify(key: str) -> int:
            options = ("--rm", "--env", f"SANDBOX_KEY={key}", "--volume", f"{repository}:/work")
            suite = ("run", "--target", "target.yaml", "--profile", "core", "--report-dir", "report")
            return engine.run("run", *options, IMAGE, *suite)

        expect(certify(environment["SANDBOX_KEY"]) == 3, "a good server without a probe: exit code 3")
        found = {path.name for path in (repository / "report").iterdir()}
        # The summary is of the action's own making.
        expect(found >= REPORTS - {"summary.md"}, f"the report is in the checkout: {sorted(found)}")
        expect(certify("wrong") == 2, "a wrong key: exit code 2")


def main() -> int:
    """Try it; 0 when everything is as a user would expect it."""
    try:
        with docker_engine() as address:
            engine = Engine(address)
            build(engine)
            try_image(engine)
    except EngineError as error:
        print(f"conformance-container: {error}", file=sys.stderr)
        return 2
    except (PipelineError, subprocess.CalledProcessError) as error:
        print(f"conformance-container: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
