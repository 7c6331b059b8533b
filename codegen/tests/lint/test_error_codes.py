from __future__ import annotations

from pathlib import Path

import pytest

from .broken import Broken, check

API, ERRORS, STATES = "lifecycle.yaml", "errors.yaml", "states.yaml"
NO_SNAPSHOT = "  - code: SNAPSHOT::NOT_FOUND\n    status: 404\n"
ALL_CODES = (
    "REQUEST::INVALID, REQUEST::ROUTE_NOT_FOUND, REQUEST::UNAUTHORIZED, REQUEST::UNAVAILABLE, "
    "SANDBOX::NOT_FOUND, SNAPSHOT::NOT_FOUND"
)

CASES = [
    Broken(
        "error-unique",
        ERRORS,
        NO_SNAPSHOT,
        "  - code: «REQUEST::INVALID\n    status: 400\n    meaning: A field is wrong again.\n"
        f"    retryable: never\n    remedy: Correct the field.\n{NO_SNAPSHOT}",
        "The code REQUEST::INVALID was already defined on line 8.",
        "Remove one of the two.",
    ),
    Broken(
        "error-known",
        API,
        "        - SNAPSHOT::NOT_FOUND",
        "        - SNAPSHOT::NOT_FOUND\n        - «SNAPSHOT::LOST",
        "The error code SNAPSHOT::LOST is not defined.",
        "Define it in errors.yaml, or use one of: SNAPSHOT::NOT_FOUND.",
    ),
    Broken(
        "error-known",
        API,
        "  - REQUEST::ROUTE_NOT_FOUND",
        "  - REQUEST::ROUTE_NOT_FOUND\n  - «ROUTE::LOST",
        "The error code ROUTE::LOST is not defined.",
        f"Define it in errors.yaml, or use one of: {ALL_CODES}.",
    ),
    Broken(
        "error-repeated",
        API,
        "        - SNAPSHOT::NOT_FOUND",
        "        - SNAPSHOT::NOT_FOUND\n        - «SNAPSHOT::NOT_FOUND",
        "SNAPSHOT::NOT_FOUND is listed twice.",
        "Remove one of the two.",
    ),
    Broken(
        "error-status",
        API,
        "        - SNAPSHOT::NOT_FOUND",
        "        - SNAPSHOT::NOT_FOUND\n        - «REQUEST::INVALID",
        "REQUEST::INVALID has status 400, which getSnapshot does not declare.",
        "Add the response 400, or remove the code.",
    ),
    Broken(
        "response-code",
        API,
        "        '400': {$ref: '#/components/responses/BadRequest'}\n",
        "        '400': {$ref: '#/components/responses/BadRequest'}\n"
        "        «'404': {$ref: '#/components/responses/NotFound'}\n",
        "createSandbox declares 404, but lists no error code of that status.",
        "Add a code to x-sandkit-errors, or remove the response.",
    ),
    Broken(
        "error-used",
        ERRORS,
        NO_SNAPSHOT,
        "  - code: «SNAPSHOT::IN_USE\n    status: 409\n    meaning: A sandbox starts from it.\n"
        f"    retryable: never\n    remedy: Wait for the sandbox.\n{NO_SNAPSHOT}",
        "No operation answers SNAPSHOT::IN_USE.",
        "List it in x-sandkit-errors of the operations that answer it, or remove it.",
    ),
    Broken(
        "field-error",
        API,
        "x-sandkit-error: REQUEST::INVALID",
        "x-sandkit-error: «SANDBOX::INVALID_IMAGE",
        "The error code SANDBOX::INVALID_IMAGE is not defined.",
        "Define it in errors.yaml, or use one of: SANDBOX::NOT_FOUND.",
    ),
    Broken(
        "field-error",
        API,
        "x-sandkit-error: REQUEST::INVALID",
        "x-sandkit-error: «SANDBOX::NOT_FOUND",
        "SANDBOX::NOT_FOUND has status 404; a bad field is answered with 400.",
        "Use a code of status 400.",
    ),
    Broken(
        "state-error",
        STATES,
        "      Gone: {status: 204}\n",
        "      Gone: {«status: 200}\n",
        "deleteSandbox does not declare the status 200.",
        "Add the response to lifecycle.yaml, or correct the cell.",
    ),
    Broken(
        "state-error",
        STATES,
        "{status: 404, code: SNAPSHOT::NOT_FOUND}",
        "{status: 404, code: «SNAPSHOT::LOST}",
        "The error code SNAPSHOT::LOST is not defined.",
        "Define it in errors.yaml, or use one of: SNAPSHOT::NOT_FOUND.",
    ),
    Broken(
        "state-error",
        STATES,
        "{status: 404, code: SNAPSHOT::NOT_FOUND}",
        "{status: 404, code: «REQUEST::UNAUTHORIZED}",
        "REQUEST::UNAUTHORIZED is answered with 401, not with 404.",
        "Correct the status, or use another code.",
    ),
    Broken(
        "state-error",
        STATES,
        "{status: 404, code: SNAPSHOT::NOT_FOUND}",
        "{status: 404, code: «SANDBOX::NOT_FOUND}",
        "getSnapshot does not list SANDBOX::NOT_FOUND.",
        "Add the code to its x-sandkit-errors, or correct the cell.",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_error_rule(case: Broken, tmp_path: Path) -> None:
    check(case, tmp_path)
