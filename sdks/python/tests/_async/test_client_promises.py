"""The requirements that bind clients, each by its id (specs/requirements/api.yaml, `check: sdk`)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from sandkit import AsyncClient, RequestOptions
from sandkit.errors import ApiError
from sandkit.testing import AsyncFakeClock, ScriptedTransport, answer, page_body, sandbox_body, snapshot_body

NEW: dict[str, Any] = {"hologram": {"depth": 3}}


def client_over(*steps: httpx.Response, base_url: str = "http://localhost:1") -> AsyncClient:
    return AsyncClient("key", base_url, transport=ScriptedTransport(*steps), clock=AsyncFakeClock())


async def test_api_148_unknown_values_of_open_sets_are_kept() -> None:
    status = {"reason": "QuantumDecay"}
    sandbox = sandbox_body(state="Dreaming", status=status, platform={"os": "plan9", "arch": "riscv64"})
    client = client_over(
        answer(200, sandbox), answer(200, page_body([sandbox])), answer(200, snapshot_body(state="Folding"))
    )
    got = await client.sandboxes.get("sbx-1")
    assert (got.state, got.reason) == ("Dreaming", "QuantumDecay")
    assert got.platform is not None
    assert (got.platform.os, got.platform.arch) == ("plan9", "riscv64")
    assert [item.state for item in (await client.sandboxes.list()).items] == ["Dreaming"]
    assert (await client.snapshots.get("snap-1")).state == "Folding"


async def test_api_149_unknown_fields_are_accepted_and_kept() -> None:
    sandbox = sandbox_body(status=NEW, **NEW)
    client = client_over(
        answer(200, sandbox),
        answer(200, {**page_body([sandbox]), **NEW}),
        answer(200, snapshot_body(status=NEW, **NEW)),
    )
    got = await client.sandboxes.get("sbx-1")
    assert got.additional_properties == got.data.status.additional_properties == NEW
    assert (await client.sandboxes.list()).items[0].additional_properties == NEW
    assert (await client.snapshots.get("snap-1")).additional_properties == NEW


@pytest.mark.parametrize("status", [301, 400, 401, 404, 405, 409, 418, 422, 429, 500, 502, 503, 520, 599])
@pytest.mark.parametrize("body", [None, "<html>busy</html>", "[1]", '"text"', '{"error": {"a": 1}}', "{"])
async def test_api_150_any_refusal_is_a_typed_error(status: int, body: str | None) -> None:
    refusal = answer(status, body, headers={"X-Request-ID": "theirs-7"})
    async with client_over(refusal) as client:
        with pytest.raises(ApiError) as caught:
            await client.sandboxes.get("sbx-1", options=RequestOptions(max_retries=0))
    assert (caught.value.status, caught.value.request_id) == (status, "theirs-7")


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_api_151_an_endpoint_without_a_scheme_has_that_of_the_api(scheme: str) -> None:
    client = client_over(answer(200, {"endpoint": "10.1.2.3:8000/x"}), base_url=f"{scheme}://localhost:1")
    assert (await client.sandboxes.endpoint("sbx-1", 8000)).url == f"{scheme}://10.1.2.3:8000/x"
