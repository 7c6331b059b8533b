"""Path and method to one route.

Paths match exactly: no redirect adds or removes a trailing slash (a redirected POST loses its body in many
clients),
``.`` and ``..`` mean nothing, and a percent-encoded slash belongs to its segment instead of ending it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from sandkit_server.core.errors import ErrorCode, SandkitError
from sandkit_server.http.exchange import Handler

__all__ = ["MethodNotAllowedError", "Route", "Router"]


@dataclass(frozen=True, slots=True)
class Route:
    """A handler for one method and path.

    ``path`` is a template such as ``/pools/{poolName}``. A last segment ``{name...}`` takes the rest of the
    path, slashes and percent-encoding included, and matches an empty rest too. A route without ``secured``
    needs no key.
    """

    method: str
    path: str
    handler: Handler
    secured: bool = True


class MethodNotAllowedError(SandkitError):
    """The path exists for other methods: ``allowed``, sorted, with HEAD where there is GET, and OPTIONS."""

    def __init__(self, method: str, allowed: Sequence[str]) -> None:
        super().__init__(
            ErrorCode.REQUEST_METHOD_NOT_ALLOWED, f"This path has no {method}; it has {', '.join(allowed)}."
        )
        self.method = method
        self.allowed = tuple(allowed)


class _Node:
    """One segment of the known paths."""

    __slots__ = ("literals", "parameter", "routes", "tail")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.parameter: _Node | None = None
        self.routes: dict[str, tuple[Route, tuple[str, ...]]] = {}
        self.tail: dict[str, tuple[Route, tuple[str, ...]]] = {}


_TAIL: Final = "...}"


class Router:
    """Finds routes by a tree of path segments; each route is mounted under every one of ``bases``.

    A literal segment wins over a parameter. Building refuses two routes of the same method and path.
    """

    def __init__(self, routes: Iterable[Route], bases: Sequence[str] = ("",)) -> None:
        self._root = _Node()
        for route in routes:
            for base in bases:
                self._mount(route, base + route.path)

    def _mount(self, route: Route, path: str) -> None:
        node = self._root
        names: list[str] = []
        table = node.routes
        for segment in path.split("/")[1:]:
            if segment.endswith(_TAIL):
                names.append(segment[1 : -len(_TAIL)])
                table = node.tail
                break
            if segment.startswith("{"):
                names.append(segment[1:-1])
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.literals.setdefault(segment, _Node())
            table = node.routes
        if route.method in table:
            raise ValueError(f"two routes for {route.method} {path}")
        table[route.method] = (route, tuple(names))

    def match(self, method: str, path: str) -> tuple[Route, Mapping[str, str]]:
        """The route and its percent-decoded path parameters.

        Raises:
            SandkitError: REQUEST::ROUTE_NOT_FOUND.
            MethodNotAllowedError: for a known path; also for OPTIONS, which the caller answers from it.
        """
        segments = path.split("/")
        values: list[str] = []
        table = self._descend(self._root, segments, 1, values)
        if table is None:
            raise SandkitError(
                ErrorCode.REQUEST_ROUTE_NOT_FOUND,
                "No operation has this path; paths begin with /v1 and end without a slash.",
            )
        found = table.get("GET" if method == "HEAD" else method)
        if found is None:
            extra = {"HEAD", "OPTIONS"} if "GET" in table else {"OPTIONS"}
            raise MethodNotAllowedError(method, sorted(extra.union(table)))
        route, names = found
        return route, dict(zip(names, values, strict=True))

    def _descend(
        self, node: _Node, segments: list[str], position: int, values: list[str]
    ) -> dict[str, tuple[Route, tuple[str, ...]]] | None:
        if position == len(segments):
            return node.routes or None
        raw = segments[position]
        segment = unquote(raw) if "%" in raw else raw
        literal = node.literals.get(segment)
        if (
            literal is not None
            and (found := self._descend(literal, segments, position + 1, values)) is not None
        ):
            return found
        if node.parameter is not None and segment:
            values.append(segment)
            if (found := self._descend(node.parameter, segments, position + 1, values)) is not None:
                return found
            values.pop()
        if node.tail:
            values.append("/".join(segments[position:]))
            return node.tail
        return None
