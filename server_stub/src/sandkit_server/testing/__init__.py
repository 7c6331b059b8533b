"""Servers for the tests of whoever talks to the API.

::

    from sandkit_server.testing import EmbeddedServer

    with EmbeddedServer() as server:
        client = Client(server.base_url, api_key=server.api_key)
"""

from __future__ import annotations

from sandkit_server.testing.embedded import EmbeddedServer

__all__ = ["EmbeddedServer"]
