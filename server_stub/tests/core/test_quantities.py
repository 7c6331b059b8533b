from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandkit_server.core.quantities import parse_quantity


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", "1"), ("0.5", "0.5"), (".5", "0.5"), ("5.", "5"), ("+1", "1"), ("-1", "-1"),
        ("500m", "0.5"), ("1n", "0.000000001"), ("1u", "0.000001"), ("2k", "2000"), ("3M", "3000000"),
        ("1G", "1e9"), ("1T", "1e12"), ("1P", "1e15"), ("1E", "1e18"), ("1Ki", "1024"),
        ("1.5Gi", "1610612736"), ("1Ei", "1152921504606846976"), ("1e3", "1000"), ("1E3", "1000"),
        ("12e-1", "1.2"), ("1e+2", "100"),
    ],
)  # fmt: skip
def test_quantities(text: str, value: str) -> None:
    assert parse_quantity(text) == Decimal(value)


@pytest.mark.parametrize(
    "text",
    ["", " ", "1 ", "1\n", "m", "1K", "1ki", "1mi", "1Kib", "1.2.3", "1e", "1e1.5", "٣", "--1", "0x10", "1_0",
     "1e1Ki", "NaN", "inf", "1" * 65],
)  # fmt: skip
def test_what_is_none(text: str) -> None:
    assert parse_quantity(text) is None


@given(st.integers(0, 10**15), st.sampled_from(["", "m", "k", "Ki", "G", "Gi"]))
def test_units_keep_their_order(number: int, unit: str) -> None:
    value, more = parse_quantity(f"{number}{unit}"), parse_quantity(f"{number + 1}{unit}")
    assert value is not None
    assert more is not None
    assert value < more
