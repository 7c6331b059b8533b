"""Bodies that are no JSON, too large, or labelled as something else."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from .case import Case, create, raw
from .census import World
from .check import check_refusal

VALID = create("", "").content or b""
PAUSE = "/sandboxes/{running}/pause"
JSON = {"Content-Type": "application/json"}

MALFORMED = [
    raw("no body", b""),
    raw("blanks only", b" \n "),
    raw("half a document", VALID[:-1]),
    raw("two documents", VALID + VALID),
    raw("single quotes", b"{'image': {}}"),
    raw("a trailing comma", b'{"timeout": 600,}'),
    raw("a comment", b'{"timeout": 600 /* s */}'),
    raw("text that is not UTF-8", b'{"snapshotId": "\xff\xfe"}'),
    raw("UTF-16", VALID.decode().encode("utf-16")),
    raw("a byte order mark", b"\xef\xbb\xbf" + VALID),
    raw("NaN", b'{"timeout": NaN}'),
    raw("infinity", b'{"timeout": Infinity}'),
    raw("half a surrogate pair", rb'{"snapshotId": "\ud800"}'),
    raw("a control character in a string", b'{"snapshotId": "a\x00b"}'),
    raw("the same name twice", b'{"timeout": 60, "timeout": 600}'),
    raw("the same name twice, deep inside", b'{"image": {"uri": "a", "uri": "b"}}'),
    raw("nested without end", b'{"env": ' + b"[" * 30_000 + b"]" * 30_000 + b"}"),
    raw("a number of five thousand digits", b'{"timeout": ' + b"9" * 5000 + b"}"),
    raw("a form", b"image=python", headers=JSON),
]

OTHER_SHAPES = [
    raw("a list", b"[]", "REQUEST::INVALID_PARAMETER", details=(("", "type"),)),
    raw("a string", b'"image"', "REQUEST::INVALID_PARAMETER", details=(("", "type"),)),
    raw("null", b"null", "REQUEST::INVALID_PARAMETER", details=(("", "type"),)),
    raw(
        "a number beyond floats",
        b'{"timeout": 1e400}',
        "REQUEST::INVALID_PARAMETER",
        details=(("/timeout", "type"),),
    ),
]


def _labelled(name: str, content: bytes = VALID, **headers: str) -> Case:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return Case(name=name, code="REQUEST::UNSUPPORTED_MEDIA_TYPE", status=415, content=content, headers=named)


LABELS = [
    _labelled("no content type"),
    _labelled("plain text", Content_Type="text/plain"),
    _labelled("a form by its label", Content_Type="application/x-www-form-urlencoded"),
    _labelled("a JSON dialect", Content_Type="application/vnd.api+json"),
    _labelled("a merge patch where none is read", Content_Type="application/merge-patch+json"),
    _labelled("another charset", Content_Type="application/json; charset=latin-1"),
    _labelled("an empty content type", Content_Type=""),
    _labelled("gzip", gzip.compress(VALID), Content_Type="application/json", Content_Encoding="gzip"),
    _labelled("an unknown encoding", Content_Type="application/json", Content_Encoding="zz"),
]


@pytest.mark.parametrize("case", [*MALFORMED, *OTHER_SHAPES, *LABELS], ids=str)
def test_a_body_that_cannot_be_read_is_refused_and_leaves_nothing(world: World, case: Case) -> None:
    check_refusal(world, case)


@pytest.mark.parametrize("path", ["/sandboxes", "/sandboxes/{running}/snapshots", "/pools"])
def test_a_body_above_the_limit_is_refused(world: World, path: str) -> None:
    content = json.dumps({"name": "x" * 70_000}).encode()
    case = Case(
        name="", code="REQUEST::PAYLOAD_TOO_LARGE", status=413, path=path, content=content, headers=JSON
    )
    check_refusal(world, case)


def test_a_body_above_the_limit_is_refused_without_a_length_too(world: World) -> None:
    def endless() -> Any:
        while True:
            yield b" " * 8192

    before = world.census()
    answer = world.client.post("/sandboxes", content=endless(), headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (413, "REQUEST::PAYLOAD_TOO_LARGE")
    assert world.census() == before


@pytest.mark.parametrize(
    "label",
    [
        "application/json",
        "Application/JSON",
        "application/json;charset=UTF-8",
        'application/json; charset="utf-8"; x=y',
    ],
)
def test_every_spelling_of_the_right_label_is_read(world: World, label: str) -> None:
    answer = world.client.post("/sandboxes", content=b"{}", headers={"Content-Type": label})
    assert answer.json()["code"] == "REQUEST::INVALID_PARAMETER"


def test_a_merge_patch_may_be_labelled_as_one(world: World) -> None:
    answer = world.client.patch(
        f"/sandboxes/{world.names['running']}/metadata",
        content=b"{}",
        headers={"Content-Type": "application/merge-patch+json"},
    )
    assert answer.status_code == 200
