"""The lifecycle of sandboxes as decisions and orchestration; knows neither HTTP nor any engine."""

from __future__ import annotations
