from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import httpx2
import pytest

from sandkit_server.core.port_errors import Unavailable
from sandkit_server.kubernetes.calls import create, get
from sandkit_server.kubernetes.credentials import Plugin, PluginToken, Token, TokenFile
from sandkit_server.kubernetes.resources import PODS

from .api_server import ApiServer, answer, failure

POD = create(PODS, {"metadata": {"name": "p"}})


def tokens(server: ApiServer) -> list[str]:
    return [request.headers["Authorization"].removeprefix("Bearer ") for request in server.asked]


async def test_a_fixed_token_goes_with_every_request() -> None:
    server = ApiServer(answer({}), failure(401))
    cluster = server.cluster(Token("t"))
    await cluster.send(get(PODS, "p"))
    with pytest.raises(Unavailable, match="does not accept"):
        await cluster.send(POD)
    assert tokens(server) == ["t", "t"]


async def test_a_renewed_token_file_is_read_when_the_old_token_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")

    def renew(_: httpx2.Request) -> httpx2.Response:
        file.write_text("second\n")
        return failure(401)

    server = ApiServer(answer({}), renew, answer({}), answer({}))
    cluster = server.cluster(TokenFile(file))
    for _ in range(3):
        await cluster.send(POD)
    assert tokens(server) == ["first", "first", "second", "second"]
    assert server.asked[1].content == server.asked[2].content


async def test_a_refused_token_that_was_not_renewed_is_not_sent_again(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("only")
    server = ApiServer(failure(401))
    with pytest.raises(Unavailable, match="does not accept"):
        await server.cluster(TokenFile(tmp_path / "token")).send(POD)


async def test_a_missing_token_file_is_named(tmp_path: Path) -> None:
    server = ApiServer()
    with pytest.raises(Unavailable, match=str(tmp_path / "token")):
        await server.cluster(TokenFile(tmp_path / "token")).send(POD)


# --- plugins ---------------------------------------------------------------------------------------------


def plugin(folder: Path, program: str, **environment: str) -> PluginToken:
    """A plugin that is a Python program; it finds its state in the folder it stands in."""
    file = folder / "plugin"
    file.write_text(f"#!{sys.executable}\n{program}")
    file.chmod(stat.S_IRWXU)
    return PluginToken(
        Plugin(
            command=str(file),
            arguments=["--cluster", "x"],
            environment=environment,
            api_version="client.authentication.k8s.io/v1",
        )
    )


COUNTING = """
import json, os, pathlib, sys
here = pathlib.Path(__file__).parent
told = [sys.argv[1:], os.environ["KUBERNETES_EXEC_INFO"], os.environ["EXTRA"]]
(here / "told").write_text(json.dumps(told))
runs = here / "runs"
number = len(runs.read_text()) if runs.exists() else 0
runs.write_text("x" * (number + 1))
print(json.dumps({"status": {"token": f"t{number}", "expirationTimestamp": %r}}))
"""


async def test_a_plugins_token_is_kept_until_it_ends_or_is_refused(tmp_path: Path) -> None:
    auth = plugin(tmp_path, COUNTING % "2100-01-01T00:00:00Z", EXTRA="y")
    server = ApiServer(answer({}), answer({}), failure(401), answer({}), answer({}))
    cluster = server.cluster(auth)
    for _ in range(4):
        await cluster.send(POD)
    assert tokens(server) == ["t0", "t0", "t0", "t1", "t1"]
    arguments, info, extra = json.loads((tmp_path / "told").read_text())
    assert (arguments, extra) == (["--cluster", "x"], "y")
    assert json.loads(info) == {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "spec": {"interactive": False},
    }


async def test_an_ended_token_is_renewed_before_it_is_used(tmp_path: Path) -> None:
    auth = plugin(tmp_path, COUNTING % "2001-01-01T00:00:00Z", EXTRA="y")
    server = ApiServer(answer({}), answer({}))
    cluster = server.cluster(auth)
    for _ in range(2):
        await cluster.send(POD)
    assert tokens(server) == ["t0", "t1"]


@pytest.mark.parametrize(
    ("program", "complaint"),
    [
        ("raise SystemExit(3)", "ended with 3"),
        ("print('hello')", "printed no JSON"),
        ("print('{}')", "gave no token"),
        ('print(\'{"status": {"clientCertificateData": "x"}}\')', "gave no token"),
    ],
)
async def test_a_plugin_that_fails_is_named(tmp_path: Path, program: str, complaint: str) -> None:
    with pytest.raises(Unavailable, match=complaint):
        await ApiServer().cluster(plugin(tmp_path, program)).send(POD)


async def test_a_plugin_that_is_not_there_is_named(tmp_path: Path) -> None:
    auth = PluginToken(
        Plugin(
            command=str(tmp_path / "none"),
            environment={},
            api_version="client.authentication.k8s.io/v1beta1",
        )
    )
    with pytest.raises(Unavailable, match="none cannot run"):
        await ApiServer().cluster(auth).send(POD)
