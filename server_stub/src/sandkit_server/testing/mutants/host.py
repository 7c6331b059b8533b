"""One process that serves any number of variants, each in a child of its own.

Starting an interpreter and importing the server takes longer than most mutants live. So the ``host`` command
does it once, and forks for every variant it is asked for.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

Serve = Callable[[list[str]], int]


def host(orders: Iterable[str], serve: Serve) -> int:
    """Carry out orders, a line of JSON each, until there are no more; then kill what is still served.

    ``{"serve": [ID, option, …], "environment": {…}, "log": PATH}`` starts one and is answered by its process
    id, ``{"look": PID}`` by whether it has ended, and ``{"stop": PID}`` kills it and is answered when it is
    gone. Every answer is a line of its own.
    """
    running: set[int] = set()
    try:
        for line in orders:
            order = json.loads(line)
            if "serve" in order:
                child = os.fork() or _become(order, serve)
                running.add(child)
                _answer({"pid": child})
            elif "look" in order:
                _answer({"ended": _has_ended(order["look"], running)})
            else:
                _end(order["stop"], running)
                _answer({"stopped": order["stop"]})
    finally:
        for child in tuple(running):
            _end(child, running)
    return 0


def _become(order: dict[str, Any], serve: Serve) -> NoReturn:
    """Be the server, and never return to whoever reads the orders."""
    code = 1
    try:
        log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        os.environ.update(order["environment"])
        code = serve(order["serve"])
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _has_ended(child: int, running: set[int]) -> bool:
    if child in running and os.waitpid(child, os.WNOHANG) != (0, 0):
        running.remove(child)
    return child not in running


def _end(child: int, running: set[int]) -> None:
    if child in running:
        running.remove(child)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _answer(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)  # noqa: T201  (the other half of the protocol)
