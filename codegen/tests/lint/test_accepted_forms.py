from __future__ import annotations

from pathlib import Path

import pytest

from sandkit_codegen.lint import lint_specs

from .broken import replace, write_minimal

LAST = (
    "    Error:\n      type: object\n      required: [code]\n      properties:\n"
    "        code:\n          type: string\n"
)
COMPOSED = """    Inline:
      allOf:
        - type: object
          properties:
            size: {type: integer}
        - type: object
          properties:
            name: {type: string}
      examples: [{size: 1, name: two}]
"""


@pytest.mark.parametrize(
    ("good", "other"),
    [
        ("          in: query\n", "          in: query\n          style: form\n          explode: true\n"),
        ("          minimum: 60\n", "          exclusiveMinimum: 59\n"),
        (LAST, f"{LAST}      additionalProperties: false\n"),
        (
            LAST,
            f"{LAST}      discriminator:\n        propertyName: code\n        "
            "mapping: {a: '#/components/schemas/Error'}\n",
        ),
        (LAST, f"{LAST}        tokens:\n          type: integer\n"),
        (LAST, f"{LAST}        token:\n          type: string\n          x-sandkit-secret: true\n"),
        (LAST, LAST + COMPOSED),
        (
            "              examples:\n                ready: {value: {state: Ready}}\n",
            "              example: {state: Ready}\n",
        ),
    ],
)
def test_other_right_forms_are_taken(good: str, other: str, tmp_path: Path) -> None:
    root = write_minimal(tmp_path)
    replace(root / "lifecycle.yaml", good, other)
    assert [str(finding) for finding in lint_specs(root)] == []
