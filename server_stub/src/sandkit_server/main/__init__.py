"""The composition root: which parts make up a server, and how they are started, replaced and closed.

Nothing here touches the network (``serving`` does) or decides anything about sandboxes (``core`` does).
"""

from __future__ import annotations

from sandkit_server.http.application import Asgi
from sandkit_server.main.server import Alterations, Server, build, version

__all__ = ["Alterations", "Asgi", "Server", "build", "version"]
