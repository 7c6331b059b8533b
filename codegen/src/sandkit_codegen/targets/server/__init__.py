"""Target `server`: msgspec models, the service Protocol, routes, error and state tables of sandkit_server."""

from __future__ import annotations

from sandkit_codegen.targets.server.target import render_server

__all__ = ["render_server"]
