"""Tries the suite the way somebody else's pipeline uses it: the wheel alone, in a scratch repository.

    python scripts/try_pipeline.py

Builds the wheel, starts the embedded server, and runs the shell steps of sdks/conformance/ci/action.yml
with bash in an empty folder: once well, once with a wrong key, once with a stale baseline. Needs what
pip needs, and no container engine.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sandkit_server.testing import EmbeddedServer

SUITE = Path(__file__).parent.parent / "sdks" / "conformance"
EXPRESSION = re.compile(r"\$\{\{\s*([\w.-]+)\s*\}\}")
REPORTS = {
    "report.html",
    "report.json",
    "report.xml",
    "badge.svg",
    "trace.ndjson",
    "ledger.ndjson",
    "summary.md",
}


class PipelineError(Exception):
    """Something is not as a user of the action would expect it."""


@dataclass
class Runner:
    """As much of a pipeline's runner as the action asks for: expressions, outputs, bash steps."""

    repository: Path
    temp: Path
    environment: Mapping[str, str]
    outputs: dict[str, str] = field(default_factory=dict)

    def run(self, action: Mapping[str, Any], given: Mapping[str, str]) -> int:
        """Run the action's shell steps; the exit code of the first that fails, or 0."""
        inputs = {name: str(one.get("default", "")) for name, one in action["inputs"].items()} | dict(given)
        values = {f"inputs.{name}": value for name, value in inputs.items()}
        code = 0
        for step in action["runs"]["steps"]:
            if "run" in step and (code == 0 or "always()" in step.get("if", "")):
                code = self._step(step, values) or code
        return code

    def _step(self, step: Mapping[str, Any], values: Mapping[str, str]) -> int:
        known = {**values, **self.outputs, "runner.temp": str(self.temp)}
        own = {
            name: EXPRESSION.sub(lambda found: known.get(found[1], ""), str(value))
            for name, value in step.get("env", {}).items()
        }
        if "${{" in step["run"]:
            raise PipelineError(f"the step {step['name']!r} puts an expression into its script; use env")
        files = {"GITHUB_OUTPUT": self.temp / "output", "GITHUB_STEP_SUMMARY": self.temp / "summary"}
        for path in files.values():
            path.write_text("")
        environment = {**self.environment, **own, **{name: str(path) for name, path in files.items()}}
        command = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]]
        code = subprocess.run(command, cwd=self.repository, env=environment, check=False).returncode
        for line in files["GITHUB_OUTPUT"].read_text().splitlines():
            name, _, value = line.partition("=")
            self.outputs[f"steps.{step['id']}.outputs.{name}"] = value
        return code


def build_wheel(folder: Path) -> Path:
    """The suite's wheel, built from this checkout."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*command, "--no-build-isolation", "--wheel-dir", folder, SUITE], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


@contextmanager
def scratch(server: EmbeddedServer) -> Iterator[tuple[Path, dict[str, str]]]:
    """A repository with nothing but a target file, and the environment of a job in it."""
    with tempfile.TemporaryDirectory(prefix="sandkit-pipeline-") as name:
        repository = Path(name) / "repository"
        repository.mkdir()
        target: dict[str, Any] = {
            "version": 1,
            "name": "A server of somebody else",
            "baseUrl": server.base_url,
            "apiKeyEnv": "SANDBOX_KEY",
        }
        if server.probe_url:
            target["probe"] = {"url": server.probe_url, "keyEnv": "PROBE_KEY"}
        if server.control_url:
            target["control"] = {"url": server.control_url, "keyEnv": "CONTROL_KEY"}
        (repository / "target.yaml").write_text(yaml.safe_dump(target))
        (repository / "stale.yaml").write_text(
            "version: 1\nexcused:\n  - {requirement: FLT-02, reason: mended long ago}\n"
        )
        kept = {name: os.environ[name] for name in os.environ if not name.startswith(("PYTHON", "SANDKIT_"))}
        keys = {
            "SANDBOX_KEY": server.api_key,
            "PROBE_KEY": server.probe_key,
            "CONTROL_KEY": server.control_key,
        }
        yield repository, {**kept, **{name: str(key) for name, key in keys.items()}}


def expect(holds: bool, text: str) -> None:
    """Say what was looked at, and stop where it does not hold."""
    print(f"{'ok  ' if holds else 'MEND'}  {text}", flush=True)
    if not holds:
        raise PipelineError(text)


def try_action(wheel: Path, profile: str) -> None:
    """Run the action as three jobs would."""
    action = yaml.safe_load((SUITE / "ci" / "action.yml").read_text())
    with EmbeddedServer(subprocess=True) as server, scratch(server) as (repository, environment):
        temp = repository.parent / "runner"
        temp.mkdir()
        given = {
            "target": "target.yaml",
            "profile": profile,
            "package": str(wheel),
            "python": sys.executable,
            "gate": "all",
        }
        runner = Runner(repository, temp, environment)
        expect(runner.run(action, given) == 0, "a good server: exit code 0")
        expect(runner.outputs["steps.run.outputs.exit-code"] == "0", "a good server: output exit-code is 0")
        found = {path.name for path in (repository / "conformance-report").iterdir()}
        expect(found >= REPORTS, f"report, JUnit file, badge, trace and ledger are there: {sorted(found)}")
        python = temp / "sandkit-conformance" / "bin" / "python"
        listed = subprocess.run(
            [python, "-m", "pip", "list", "--format=freeze"], capture_output=True, text=True, check=True
        ).stdout
        names = {line.partition("==")[0].lower() for line in listed.splitlines()}
        alone = not names & {"sandkit", "sandkit-server", "pytest"}
        expect(alone, "neither the SDK nor the server nor pytest is needed")
        trace = "conformance-report/trace.ndjson"
        again = [str(python.with_name("sandkit-conformance")), "recheck", trace]
        code = subprocess.run(again, cwd=repository, stdout=subprocess.DEVNULL, check=False).returncode
        expect(code == 0, "recheck of the trace: exit code 0")
        wrong = Runner(repository, temp, {**environment, "SANDBOX_KEY": "wrong"})
        expect(wrong.run(action, given) == 2, "a wrong key: exit code 2")
        stale = Runner(repository, temp, environment)
        code = stale.run(action, {**given, "baseline": "stale.yaml"})
        expect(code == 4, "a stale baseline: exit code 4")


def main(arguments: list[str]) -> int:
    """Try it; 0 when everything is as a user would expect it."""
    profile = arguments[0] if arguments else "faults"
    with tempfile.TemporaryDirectory(prefix="sandkit-wheel-") as folder:
        try:
            try_action(build_wheel(Path(folder)), profile)
        except (PipelineError, subprocess.CalledProcessError) as error:
            print(f"try_pipeline: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
