"""How to send a recorded exchange again by hand."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any, Final

from sandkit_conformance.drivers.port import API_KEY_HEADER
from sandkit_conformance.redaction import MASK

KEY_VARIABLE: Final = "SANDKIT_API_KEY"


def curl_command(exchange: Mapping[str, Any]) -> str:
    """A curl command line for an exchange of the trace; the key comes from `$SANDKIT_API_KEY`."""
    parts = ["curl -sS -i"]
    if exchange["method"] != "GET":
        parts.append(f"-X {exchange['method']}")
    for name, value in exchange.get("requestHeaders", []):
        if name.lower() == API_KEY_HEADER.lower() and value:
            # Double quotes, so that the shell puts the key in and it stands in no file.
            parts.append(f'-H "{API_KEY_HEADER}: ${KEY_VARIABLE}"')
        elif value == "":
            parts.append(f"-H {shlex.quote(f'{name};')}")
        else:
            parts.append(f"-H {shlex.quote(f'{name}: {value}')}")
    body = exchange.get("requestBody")
    if body is not None:
        parts.append(f"--data-raw {shlex.quote(body)}")
    parts.append(shlex.quote(exchange["url"]))
    text = " ".join(parts)
    return f"{text}  # {MASK} stands for a secret" if MASK[:-1] in text else text
