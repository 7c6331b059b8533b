from __future__ import annotations

from pathlib import Path

import pytest

from .broken import Broken, check

API = "lifecycle.yaml"

CASES = [
    Broken(
        "operation-id",
        API,
        "    get:\n      operationId: getSnapshot\n",
        "    «get:\n",
        "GET /snapshots/{snapshotId} has no operationId.",
        "Add an operationId in lowerCamelCase; generated code is named after it.",
        also=frozenset({"table-operation", "requirement-operation"}),
    ),
    Broken(
        "operation-id",
        API,
        "operationId: createSandbox",
        "operationId: «Create-Sandbox",
        "'Create-Sandbox' is not lowerCamelCase.",
        "Use letters and digits only, beginning with a small letter.",
    ),
    Broken(
        "operation-id-unique",
        API,
        "operationId: createSandbox",
        "operationId: getSandbox",
        "The operationId getSandbox is already that of POST /sandboxes.",
        "Give this operation another one.",
        at=(API, "    get:\n      operationId: «getSandbox"),
    ),
    Broken(
        "operation-tag",
        API,
        "tags: [Snapshots]",
        "«tags: [Snapshots, Sandboxes]",
        "getSnapshot has 2 tags.",
        "Give it exactly one; clients are grouped by tag.",
    ),
    Broken(
        "operation-tag",
        API,
        "tags: [Snapshots]",
        "tags: [«Snapshot]",
        "The tag Snapshot is not declared.",
        "Declare it under `tags`, or use one of: Sandboxes, Snapshots.",
    ),
    Broken(
        "operation-security",
        API,
        "    delete:\n      operationId: deleteSandbox\n      tags: [Sandboxes]\n      security: []\n",
        "    «delete:\n      operationId: deleteSandbox\n      tags: [Sandboxes]\n",
        "deleteSandbox does not state its security.",
        "State `security`, with `[]` for none; generators ignore the one at the top of the file.",
    ),
    Broken(
        "operation-security",
        API,
        "tags: [Snapshots]\n      security: [{ApiKey: []}]",
        "tags: [Snapshots]\n      security: [{«Token: []}]",
        "The security scheme Token is not declared.",
        "Declare it under components.securitySchemes, or use one of: ApiKey.",
    ),
    Broken(
        "operation-responses",
        API,
        "        '204':\n          headers:\n"
        "            X-Request-ID: {$ref: '#/components/headers/RequestId'}\n"
        "          description: As it says.\n",
        "",
        "deleteSandbox declares no success.",
        "Add its 2xx response.",
        at=(API, "      security: []\n      «responses:"),
        also=frozenset({"state-error"}),
    ),
    Broken(
        "operation-responses",
        API,
        "        '404': {$ref: '#/components/responses/NotFound'}\n      x-sandkit-errors:\n"
        "        - SANDBOX::NOT_FOUND\n  /snapshots",
        "      x-sandkit-errors:\n        - SANDBOX::NOT_FOUND\n  /snapshots",
        "deleteSandbox declares no error response.",
        "Add those it can give.",
        at=(API, "      security: []\n      «responses:"),
        also=frozenset({"error-status", "state-error"}),
    ),
    Broken(
        "operation-responses",
        API,
        "      security: []\n      responses:",
        "      security: [{ApiKey: []}]\n      «responses:",
        "deleteSandbox needs a key but declares no 401.",
        "Add the 401 response.",
    ),
    Broken(
        "operation-responses",
        API,
        "        '204':\n",
        "        '200': {$ref: '#/components/responses/NotFound'}\n"
        "        '204': {$ref: '#/components/responses/NotFound'}\n        «default:\n",
        "The response 'default' is not a status code.",
        "Declare each status by its number, so that every answer has one meaning.",
    ),
    Broken(
        "operation-errors",
        API,
        "      x-sandkit-errors:\n        - SANDBOX::NOT_FOUND\n  /snapshots",
        "      «x-sandkit-errors: []\n  /snapshots",
        "deleteSandbox has no x-sandkit-errors.",
        "List the codes it may answer; SDKs and the suite are generated from them.",
        also=frozenset({"response-code", "state-error"}),
    ),
    Broken(
        "operation-errors",
        API,
        "      x-sandkit-errors:\n        - SANDBOX::NOT_FOUND\n  /snapshots",
        "  /snapshots",
        "deleteSandbox has no x-sandkit-errors.",
        "List the codes it may answer; SDKs and the suite are generated from them.",
        at=(API, "    «delete:"),
        also=frozenset({"response-code", "state-error"}),
    ),
    Broken(
        "response-request-id",
        API,
        "    NotFound:\n      headers:\n        X-Request-ID: {$ref: '#/components/headers/RequestId'}\n"
        "      content:",
        "    NotFound:\n      «content:",
        "The response 404 does not carry X-Request-ID.",
        "Add the header X-Request-ID; people quote it when they report a problem.",
    ),
    Broken(
        "response-retry-after",
        API,
        "      headers:\n        X-Request-ID: {$ref: '#/components/headers/RequestId'}\n"
        "        Retry-After: {$ref: '#/components/headers/RetryAfter'}\n",
        "      «headers:\n        X-Request-ID: {$ref: '#/components/headers/RequestId'}\n",
        "The response 503 may carry REQUEST::UNAVAILABLE but does not declare Retry-After.",
        "Add the header Retry-After, or change `retryable` in errors.yaml.",
    ),
    Broken(
        "response-header",
        API,
        "    RetryAfter:\n      schema: {type: string}",
        "    RetryAfter:\n      schema: «{type: string, format: uuid}",
        "The response header Retry-After is not a plain string.",
        "Give it `schema: {type: string}` and describe the form in words.",
    ),
    Broken(
        "response-header",
        API,
        "    RequestId:\n      schema: {type: string}",
        "    RequestId:\n      schema: «{type: integer}",
        "The response header X-Request-ID is not a plain string.",
        "Give it `schema: {type: string}` and describe the form in words.",
    ),
    Broken(
        "parameter-style",
        API,
        "          in: query\n",
        "          in: query\n          «style: deepObject\n",
        "The parameter dry has the style deepObject.",
        "Remove `style`; take a string, or an array that is repeated.",
    ),
    Broken(
        "parameter-style",
        API,
        "          in: query\n",
        "          in: query\n          «explode: false\n",
        "The parameter dry has `explode: false`.",
        "Remove it, so that the parameter is repeated for each value.",
    ),
    Broken(
        "parameter-style",
        API,
        "          in: query\n          schema: {type: boolean, default: false}\n",
        "          in: query\n          «content: {application/json: {schema: {type: boolean}}}\n",
        "The parameter dry has `content`.",
        "Use `schema`.",
    ),
    Broken(
        "path-parameters",
        API,
        "  /snapshots/{snapshotId}:\n    parameters:\n      - name: snapshotId\n        in: path\n"
        "        required: true\n        schema: {type: string}\n    get:",
        "  /snapshots/{snapshotId}:\n    «get:",
        "getSnapshot does not declare its path parameter snapshotId.",
        "Declare it under `parameters` with `in: path`, or correct the path.",
    ),
    Broken(
        "path-parameters",
        API,
        "  /snapshots/{snapshotId}:\n    parameters:",
        "  /snapshots/{snapshotId}:\n    parameters:\n"
        "      - «{name: part, in: path, required: true, schema: {type: string}}",
        "/snapshots/{snapshotId} has no parameter part.",
        "Remove it, or rename it.",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_operation_rule(case: Broken, tmp_path: Path) -> None:
    check(case, tmp_path)
