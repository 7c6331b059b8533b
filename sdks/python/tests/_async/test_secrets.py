"""Keys, passwords and environments stay out of reprs, logs, errors and tracebacks."""

from __future__ import annotations

import logging
import traceback

import httpx
import pytest

from sandkit import AsyncClient, ImageAuth, ImageSpec, OssfsVolume, Volume
from sandkit.errors import ResponseDecodeError, SandkitError
from sandkit.testing import AsyncFakeClock, ScriptedTransport, answer, error_body

# Put together here, so that no line of this file that a traceback quotes holds one of them.
KEY, PASSWORD, VALUE, BUCKET, LABEL, HEADER = SECRETS = tuple(
    f"{name}-hunter2" for name in ("key", "password", "value", "bucket", "label", "header")
)


async def failing_create(step: httpx.Response | Exception) -> BaseException:
    """What a create full of secrets raises."""
    server = ScriptedTransport(*[step] * 5)
    client = AsyncClient(
        KEY,
        "http://localhost:1",
        transport=server,
        clock=AsyncFakeClock(),
        headers={"Authorization": HEADER},
    )
    bucket = OssfsVolume(bucket="data", endpoint="e", access_key_id=BUCKET, access_key_secret=BUCKET)
    image = ImageSpec(uri="i", auth=ImageAuth(username="me", password=PASSWORD))
    try:
        await client.sandboxes.create(
            image=image,
            env={"TOKEN": VALUE},
            volumes=[Volume(name="a", mount_path="/a", ossfs=bucket)],
        )
    except SandkitError as problem:
        return problem
    raise AssertionError("the create should have failed")


@pytest.mark.parametrize(
    "step",
    [
        httpx.ReadTimeout("slow"),
        httpx.ConnectError("refused"),
        answer(400, error_body("REQUEST::INVALID_PARAMETER")),
        answer(503),
        answer(202, "<html>", headers={"content-type": "text/html"}),
    ],
)
async def test_an_error_holds_no_secret(
    step: httpx.Response | Exception, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "sandkit"):
        problem = await failing_create(step)
    frames = traceback.TracebackException.from_exception(problem, capture_locals=True)
    ours = [
        f"{frame.name}: {frame.locals}"
        for frame in frames.stack
        if "/sandkit/" in frame.filename and "/tests/" not in frame.filename
    ]
    assert len(ours) >= 2
    shown = "\n".join([repr(problem), str(problem), *traceback.format_exception(problem), *ours])
    shown += caplog.text + repr(caplog.records)
    assert caplog.text
    assert [secret for secret in SECRETS if secret in shown] == []


async def test_the_log_has_no_query_and_no_body(caplog: pytest.LogCaptureFixture) -> None:
    server = ScriptedTransport(answer(503, error_body("A::B", LABEL)), answer(400))
    client = AsyncClient(KEY, transport=server, clock=AsyncFakeClock())
    with caplog.at_level(logging.DEBUG, "sandkit"), pytest.raises(SandkitError) as caught:
        await client.sandboxes.list(metadata={"team": LABEL})
    assert len(caplog.records) == 3
    assert LABEL not in caplog.text
    assert LABEL not in str(caught.value)


def test_reprs_hold_no_secret() -> None:
    client = AsyncClient(KEY, headers={"Authorization": HEADER})
    shown = "\n".join(
        [
            repr(client),
            repr(client._config),
            repr(client._exchange.config),
            repr(ImageAuth(username="me", password=PASSWORD)),
        ]
    )
    assert [secret for secret in SECRETS if secret in shown] == []
    assert "api_key='***'" in repr(client)


async def test_an_endpoint_that_cannot_be_read_is_not_quoted() -> None:
    server = ScriptedTransport(answer(200, {"endpoint": 7, "headers": {"X-Access": HEADER}}))
    with pytest.raises(ResponseDecodeError) as caught:
        await AsyncClient(KEY, transport=server).sandboxes.endpoint("sbx-1", 80)
    assert HEADER in caught.value.body
    assert HEADER not in repr(caught.value) + "".join(traceback.format_exception(caught.value))
