from __future__ import annotations

from dataclasses import replace

import pytest

from sandkit_server.core.errors import ErrorCode, SandkitError
from sandkit_server.core.idempotency import derived_id, request_digest, require_same
from sandkit_server.core.model import Caller, ClaimSource, CreateSandbox, ImageSource, RegistryAuth, Volume
from sandkit_server.core.naming import dns_label_fault, label_value_fault

ANNE, BERT = Caller("anne"), Caller("bert")
REQUEST = CreateSandbox(
    image=ImageSource(uri="python", auth=RegistryAuth(username="u", password="p")),
    entrypoint=("sleep", "1"),
    env={"A": "1", "B": None},
    volumes=(Volume(name="v", mount_path="/v", claim=ClaimSource(claim_name="c")),),
)


def test_the_id_follows_from_caller_key_and_scope() -> None:
    base = derived_id("sbx", ANNE, "k")
    assert base == derived_id("sbx", ANNE, "k")
    others = [
        derived_id("sbx", BERT, "k"),
        derived_id("sbx", ANNE, "l"),
        derived_id("snap", ANNE, "k"),
        derived_id("sbx", ANNE, "k", scope="s"),
    ]
    assert len({base, *others}) == 5


@pytest.mark.parametrize("key", ["k", "~" * 255, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}"])
def test_the_id_is_a_label_whatever_the_key(key: str) -> None:
    made = derived_id("sbx", ANNE, key)
    assert made.startswith("sbx-")
    assert dns_label_fault(made) is None
    assert label_value_fault(made) is None


@pytest.mark.parametrize("key", ["", " ", "a b", "é", "a\n", "\x7f", "k" * 256])
def test_keys_out_of_form_are_refused(key: str) -> None:
    with pytest.raises(SandkitError) as raised:
        derived_id("sbx", ANNE, key)
    assert raised.value.code is ErrorCode.REQUEST_INVALID_PARAMETER
    assert raised.value.details[0].pointer == "header:Idempotency-Key"


@pytest.mark.parametrize(
    "other",
    [
        replace(REQUEST, entrypoint=("sleep", "2")),
        replace(REQUEST, entrypoint=("sleep 1",)),
        replace(REQUEST, timeout_seconds=60),
        replace(REQUEST, env={"A": "1"}),
        replace(REQUEST, env={"A": "1", "B": ""}),
        replace(REQUEST, image=ImageSource(uri="python")),
        replace(REQUEST, metadata={"A": "1"}),
        replace(REQUEST, volumes=()),
        replace(REQUEST, volumes=(replace(REQUEST.volumes[0], read_only=True),)),
    ],
)
def test_another_request_has_another_digest(other: CreateSandbox) -> None:
    assert request_digest("id", REQUEST) != request_digest("id", other)


def test_the_same_request_has_the_same_digest_and_links_nothing() -> None:
    again = replace(REQUEST, env={"B": None, "A": "1"})
    assert request_digest("id", REQUEST) == request_digest("id", again) != request_digest("other", again)


def test_a_key_used_for_another_request_is_refused() -> None:
    require_same("d", "d")
    with pytest.raises(SandkitError) as raised:
        require_same("d", "e")
    assert (raised.value.status, raised.value.code) == (409, ErrorCode.SANDBOX_IDEMPOTENCY_KEY_REUSED)
