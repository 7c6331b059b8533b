"""Every rule, in one list; findings are sorted by place, so the order here only sets that of `--rules`."""

from __future__ import annotations

from sandkit_codegen.lint import (
    catalogue,
    error_codes,
    examples,
    operations,
    resource_names,
    schema_forms,
    state_tables,
    structural_schemas,
)
from sandkit_codegen.lint.rule import Rule

RULES: tuple[Rule, ...] = (
    *operations.RULES,
    *schema_forms.RULES,
    *examples.RULES,
    *error_codes.RULES,
    *state_tables.RULES,
    *catalogue.RULES,
    *resource_names.RULES,
    *structural_schemas.RULES,
)
