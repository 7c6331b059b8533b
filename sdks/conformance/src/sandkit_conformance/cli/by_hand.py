"""A scenario's steps as commands for a shell: what a reader types to see it for themselves."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from sandkit_conformance.contract import Contract
from sandkit_conformance.engine.requests import merge
from sandkit_conformance.reports.curl import KEY_VARIABLE
from sandkit_conformance.scenario.model import Step
from sandkit_conformance.target import DEFAULT_TEMPLATE

_EXPRESSION: Final = re.compile(r"\$\{([^{}]*)\}")
_READS: Final = {"sandbox": "getSandbox", "snapshot": "getSnapshot"}
_CURL: Final = "curl -sS -i"


def by_hand(step: Step, contract: Contract) -> str | None:
    """The command of one step; None where there is nothing to type.

    `${sandbox.id}` becomes `$SANDBOX_ID`, for the reader to set from the answers before.
    """
    command = _command(step, contract)
    return _EXPRESSION.sub(_shell_variable, command) if command else None


def _shell_variable(found: re.Match[str]) -> str:
    return "$" + re.sub(r"[^A-Z0-9]+", "_", found[1].upper()).strip("_")


def _command(step: Step, contract: Contract) -> str | None:
    body = step.body
    main = body.get(step.verb)
    if step.verb == "call":
        return _call(body, contract)
    if step.verb == "race":
        return " & ".join(_contender(one, contract) for one in main or ()) + " & wait"
    if step.verb in {"await", "never"}:
        return _again(step.verb, main, body, contract)
    if step.verb == "probe":
        return _probe(body)
    return _control(step.verb, main, body)


def _call(fields: Mapping[str, Any], contract: Contract) -> str | None:
    what = fields["call"]
    if isinstance(what, Mapping):
        return f'{_CURL} -X {what["method"]} "$BASE{what["path"]}"'
    operation = contract.operations.get(str(what))
    if operation is None:
        return None
    key = f' -H "OPEN-SANDBOX-API-KEY: ${KEY_VARIABLE}"' if operation.needs_key else ""
    body = fields.get("body", fields.get("with"))
    if operation.id == "createSandbox" and "body" not in fields:
        body = merge(DEFAULT_TEMPLATE, fields.get("with", {}))
    path = operation.path
    if operation.path_parameters and "for" in fields:
        path = path.replace(f"{{{operation.path_parameters[0]}}}", str(fields["for"]))
    return f'{_CURL} -X {operation.method}{key}{_data(body)} "$BASE{path}"'


def _data(body: Any) -> str:
    if not body:
        return ""
    text = json.dumps(body, ensure_ascii=False)
    return f" -H 'Content-Type: application/json' --data '{text}'"


def _contender(fields: Mapping[str, Any], contract: Contract) -> str:
    command = _call(fields, contract) or ""
    times = fields.get("times", 1)
    return f"for i in $(seq {times}); do {command} & done" if times != 1 else command


def _again(verb: str, main: Any, body: Mapping[str, Any], contract: Contract) -> str | None:
    """One look; the reader repeats it."""
    word = "until" if verb == "await" else "never"
    if isinstance(main, Mapping):
        command = _call(main, contract) if "call" in main else _probe(main) if "probe" in main else None
        return f"{command}  # again and again" if command else None
    states = " or ".join(main) if isinstance(main, list) else main
    read = {"call": _READS.get(str(body.get("kind", "sandbox")), "getSandbox"), "for": body.get("for", "")}
    return f"{_call(read, contract)}  # {word} status.state is {states}"


def _probe(fields: Mapping[str, Any]) -> str:
    what = fields["probe"]
    route = {
        "events": "/v1/events?after=0",
        "environment": f"/v1/environment?sandboxId={fields.get('for', '')}",
        "file": (
            f"/v1/volume-files?volume={fields['volume']}&path={fields.get('file')}"
            if "volume" in fields
            else f"/v1/files?sandboxId={fields.get('for', '')}&path={fields.get('file')}"
        ),
    }.get(str(what), "/v1/view")
    return f'{_CURL} -H "SANDKIT-PROBE-KEY: $SANDKIT_PROBE_KEY" "$PROBE{route}"'


def _control(verb: str, main: Any, body: Mapping[str, Any]) -> str | None:
    named = {
        name: body[name] for name in ("action", "when", "status", "code", "match", "times") if name in body
    }
    route, payload = {
        "fault": ("/v1/faults", {"point": main, **named}),
        "gate": ("/v1/gates", {"point": body.get("point"), **named}) if main == "hold" else (None, None),
        "advance": ("/v1/clock/advance", {"seconds": main}),
        "restart": ("/v1/restart", {"graceful": main == "graceful"}),
    }.get(verb, (None, None))
    if verb == "gate" and main == "release":
        route, payload = f"/v1/gates/{body.get('of')}/release", None
    if route is None:
        return None
    return f'{_CURL} -X POST -H "SANDKIT-CONTROL-KEY: $SANDKIT_CONTROL_KEY"{_data(payload)} "$CONTROL{route}"'
