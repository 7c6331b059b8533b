"""Which API server a kubeconfig names, and what is said of one that cannot be used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sandkit_conformance.failures import SuiteError
from sandkit_conformance.probes.kubernetes.kubeconfig import read_kubeconfig


def _file(folder: Path, user: dict[str, Any], server: str = "http://127.0.0.1:6443/") -> Path:
    document = {
        "current-context": "first",
        "contexts": [
            {"name": "first", "context": {"cluster": "c", "user": "u", "namespace": "boxes"}},
            {"name": "second", "context": {"cluster": "c", "user": "u"}},
        ],
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": user}],
    }
    path = folder / "config"
    path.write_text(json.dumps(document))
    return path


def test_the_current_context_or_the_one_that_is_named(tmp_path: Path) -> None:
    path = _file(tmp_path, {"token": "t0ken"})
    found = read_kubeconfig(path, None)
    assert (found.url, found.token, found.namespace) == ("http://127.0.0.1:6443", "t0ken", "boxes")
    assert "t0ken" not in repr(found)
    assert read_kubeconfig(path, "second").namespace is None


def test_a_token_out_of_a_file_beside_it(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t0ken\n")
    assert read_kubeconfig(_file(tmp_path, {"tokenFile": "token"}), None).token == "t0ken"


@pytest.mark.parametrize(
    ("user", "context", "text"),
    [
        ({"exec": {"command": "aws"}}, None, "signs in by exec"),
        ({"token": "t"}, "third", "third among its contexts"),
        ({"tokenFile": "absent"}, None, "tokenFile cannot be read"),
    ],
)
def test_what_cannot_be_used_is_told(
    tmp_path: Path, user: dict[str, Any], context: str | None, text: str
) -> None:
    with pytest.raises(SuiteError, match=text):
        read_kubeconfig(_file(tmp_path, user), context)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="cannot read the kubeconfig"):
        read_kubeconfig(tmp_path / "absent", None)
    broken = tmp_path / "broken"
    broken.write_text("[")
    with pytest.raises(SuiteError, match="cannot read the kubeconfig"):
        read_kubeconfig(broken, None)


def test_a_certificate_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    path = _file(tmp_path, {"client-certificate-data": "AAAA", "client-key-data": "AAAA"}, "https://c.test")
    with pytest.raises(SuiteError, match="certificate or key"):
        read_kubeconfig(path, None)
