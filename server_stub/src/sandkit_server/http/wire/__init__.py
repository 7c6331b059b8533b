"""Between the generated wire models and the core's own terms, one module for each noun of the API."""

from __future__ import annotations
