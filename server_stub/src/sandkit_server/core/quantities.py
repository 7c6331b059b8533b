"""Kubernetes quantities such as ``500m`` or ``1.5Gi``, as exact decimals.

Grammar: a signed decimal number, then a binary suffix (Ki … Ei), a decimal one (n, u, m, k, M … E) or a
    decimal exponent (e3, E-3), or nothing.
"""

from __future__ import annotations

import re
from decimal import Decimal

_QUANTITY = re.compile(
    r"(?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+))"
    r"(?:(?P<suffix>[KMGTPE]i|[numkMGTPE])|[eE](?P<exponent>[+-]?\d{1,3}))?",
    re.ASCII,
)
_BINARY = {f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", start=1)}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_LONGEST = 64


def parse_quantity(text: str) -> Decimal | None:
    """The value of ``text``, or ``None`` when it is not a quantity."""
    match = _QUANTITY.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        return None
    number, suffix, exponent = Decimal(match["number"]), match["suffix"], match["exponent"]
    if suffix in _BINARY:
        return number * _BINARY[suffix]
    if suffix:
        return number.scaleb(_DECIMAL[suffix])
    return number.scaleb(int(exponent)) if exponent else number
