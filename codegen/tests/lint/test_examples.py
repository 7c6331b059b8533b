from __future__ import annotations

from pathlib import Path

import pytest

from .broken import Broken, check

API = "lifecycle.yaml"

CASES = [
    Broken(
        "example-present",
        API,
        "            schema: {$ref: '#/components/schemas/CreateRequest'}\n            examples:\n"
        "              small:\n                value:\n                  image: busybox\n"
        "                  platform: linux\n"
        "                  timeout: null\n                  labels: {team: blue}\n",
        "            «schema: {$ref: '#/components/schemas/CreateRequest'}\n",
        "The body of the request of createSandbox has no example.",
        "Add `examples` with at least one; documentation and tests are made from them.",
    ),
    Broken(
        "example-present",
        API,
        "              examples:\n                ready: {value: {state: Ready}}\n",
        "",
        "The body of the answer 200 of getSnapshot has no example.",
        "Add `examples` with at least one; documentation and tests are made from them.",
        at=(API, "              «schema: {$ref: '#/components/schemas/SnapshotStatus'}"),
    ),
    Broken(
        "example-shape",
        API,
        "              examples:\n                ready: {value: {state: Ready}}\n",
        "              «examples: [{state: Ready}]\n",
        "The examples of the answer 200 of getSnapshot are a list.",
        "Give each example a name, with its content under `value`.",
        also=frozenset({"example-present"}),
    ),
    Broken(
        "example-valid",
        API,
        "                  image: busybox\n",
        "                  image: «BusyBox\n",
        'The example does not match its schema: The field `image` is "BusyBox".',
        "Write a value that matches ^[a-z]+$.",
    ),
    Broken(
        "example-valid",
        API,
        "                  image: busybox\n",
        "",
        "The example does not match its schema: The document lacks `image`.",
        "Add `image`.",
        at=(API, "                value:\n                  «platform: linux"),
    ),
    Broken(
        "example-valid",
        API,
        "                  image: busybox\n",
        "                  image: busybox\n                  «platfrom: linux\n",
        "The example does not match its schema: The field `platfrom` is not known here.",
        "Did you mean `platform`?",
    ),
    Broken(
        "example-valid",
        API,
        "        status: {state: Pending, since: '2026-01-02T03:04:05Z'}",
        "        status: {state: Pending, since: «'2026-01-02T03:04:05'}",
        'The example does not match its schema: The field `since` is "2026-01-02T03:04:05", '
        "which is not an instant of RFC 3339 with an offset.",
        "Write an instant of RFC 3339 with an offset.",
    ),
    Broken(
        "example-valid",
        API,
        "            bad: {value: {code: REQUEST::INVALID}}",
        "            bad: {value: {code: «400}}",
        "The example does not match its schema: The field `code` is 400, which has the wrong type.",
        "Write a value of type string.",
    ),
    Broken(
        "example-valid",
        API,
        "            yes: {value: true}",
        "            yes: {value: «maybe}",
        'The example does not match its schema: The document is "maybe", which has the wrong type.',
        "Write a value of type boolean.",
    ),
    Broken(
        "example-valid",
        API,
        "schema: {type: boolean, default: false}",
        "schema: {type: boolean, default: «0}",
        "The example does not match its schema: The document is 0, which has the wrong type.",
        "Write a value of type boolean.",
    ),
    Broken(
        "example-valid",
        API,
        "          minimum: 60\n",
        "          minimum: 60\n          examples: [90, «30]\n",
        "The example does not match its schema: The document is 30, out of range.",
        "Keep to minimum 60.",
    ),
    Broken(
        "example-valid",
        API,
        "              examples:\n                ready: {value: {state: Ready}}\n",
        "              example: {«stat: Ready, state: Ready}\n",
        "The example does not match its schema: The field `stat` is not known here.",
        "Did you mean `state`?",
    ),
    Broken(
        "example-valid",
        API,
        "since: '2026-01-02T03:04:05Z'}",
        "since: «'2026-01-02 03:04:05+00:00'}",
        'The example does not match its schema: The field `since` is "2026-01-02 03:04:05+00:00", '
        "which is not an instant of RFC 3339 with an offset.",
        "Write an instant of RFC 3339 with an offset.",
    ),
    Broken(
        "example-valid",
        API,
        "since: '2026-01-02T03:04:05Z'}",
        "since: «12}",
        "The example does not match its schema: The field `since` is 12, which has the wrong type.",
        "Write a value of type string.",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_example_rule(case: Broken, tmp_path: Path) -> None:
    check(case, tmp_path)
