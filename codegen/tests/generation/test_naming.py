"""Names of the specs become identifiers, readable ones."""

from __future__ import annotations

import keyword

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandkit_codegen.naming import constant_case, parameter_name, pascal_case, snake_case


@pytest.mark.parametrize(
    ("name", "snake"),
    [
        ("createSandbox", "create_sandbox"),
        ("X-Request-ID", "x_request_id"),
        ("getHTTPThing2", "get_http_thing2"),
        ("use_server_proxy", "use_server_proxy"),
        ("import", "import_"),
        ("2nd-op", "n2nd_op"),
        ("größe", "größe"),
        ("dotted.name[]", "dotted_name"),
        ("", "unnamed"),
        ("!!", "unnamed"),
    ],
)
def test_snake_case(name: str, snake: str) -> None:
    assert snake_case(name) == snake


@pytest.mark.parametrize(
    ("name", "constant"),
    [
        ("Pending", "PENDING"),
        ("SANDBOX::INVALID_STATE", "SANDBOX_INVALID_STATE"),
        ("retry-after", "RETRY_AFTER"),
        ("sandbox", "SANDBOX"),
    ],
)
def test_constant_case(name: str, constant: str) -> None:
    assert constant_case(name) == constant


@pytest.mark.parametrize(
    ("name", "parameter"), [("id", "id_"), ("body", "body_"), ("page", "page"), ("self", "self_")]
)
def test_a_parameter_hides_nothing(name: str, parameter: str) -> None:
    assert parameter_name(name) == parameter


@settings(deadline=None, derandomize=True)
@given(st.text(max_size=12))
def test_every_name_is_an_identifier(name: str) -> None:
    for made in (snake_case(name), constant_case(name), pascal_case(name), parameter_name(name)):
        assert made.isidentifier()
        assert not keyword.iskeyword(made)
