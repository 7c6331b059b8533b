"""Starts a control plane, a node and the product over them, and serves until SIGINT or SIGTERM.

    python -m sandkit_server.testing.control_plane.harness --workload-provider batchsandbox \
        --ready-file PATH --kubeconfig PATH

The keys come in the environment: OPEN_SANDBOX_API_KEY, SANDKIT_PROBE_KEY, SANDKIT_CONTROL_KEY. The ready file
gets the addresses, the other one the administrator's kubeconfig, with the namespace the product works in.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from sandkit_server.event_loop import loop_factory
from sandkit_server.testing.control_plane import agent_sandbox
from sandkit_server.testing.control_plane import programs as building
from sandkit_server.testing.control_plane.harness.composition import PROVIDERS, Keys, Place, prepare, run
from sandkit_server.testing.control_plane.plane import DEFINITIONS, ControlPlane
from sandkit_server.testing.control_plane.programs import ProgramsMissing

_NOT_STARTED = 3

_log = logging.getLogger("sandkit_server.harness")


def main(arguments: Sequence[str]) -> int:
    """Run until a signal; the exit code is 3 when something could not be started."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--workload-provider", choices=PROVIDERS, default=PROVIDERS[0])
    parser.add_argument("--without-registry", action="store_true", help="as if none were configured")
    parser.add_argument("--ready-file", type=Path, required=True)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    chosen = parser.parse_args(arguments)
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format=form)
    for talkative in ("httpx2", "sandkit_server.access"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    keys = Keys(
        api=os.environ["OPEN_SANDBOX_API_KEY"],
        probe=os.environ["SANDKIT_PROBE_KEY"],
        control=os.environ["SANDKIT_CONTROL_KEY"],
    )
    # A signal during the start ends it like an interrupt, so that no program of the plane is left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _serve(chosen, keys)
    except (ProgramsMissing, RuntimeError) as trouble:
        _log.error("%s", trouble)
        return _NOT_STARTED
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 0


def _serve(chosen: argparse.Namespace, keys: Keys) -> None:
    with tempfile.TemporaryDirectory() as folder:
        definition = Path(folder) / "agent-sandbox.yaml"
        definition.write_text(json.dumps(agent_sandbox.definition("v1beta1")), encoding="utf-8")
        programs = building.build()
        with ControlPlane(programs, (DEFINITIONS, definition)) as plane:
            place = prepare(
                plane, programs, chosen.workload_provider, has_registry=not chosen.without_registry
            )
            # It holds the administrator's key.
            chosen.kubeconfig.touch(mode=0o600)
            chosen.kubeconfig.write_text(plane.kubeconfig(place.namespace), encoding="utf-8")
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                runner.run(_until_signal(place, keys, chosen.ready_file))


async def _until_signal(place: Place, keys: Keys, ready_file: Path) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await run(place, keys, ready_file, stop)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
