"""Refusals and faults a test arms: before a call takes effect, or after it, when nobody knows that it did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sandkit_server.core.port_errors import PortError
from sandkit_server.kubernetes.calls import Call, Verb
from sandkit_server.kubernetes.resources import Resource


@dataclass(slots=True, kw_only=True)
class Fault:
    """One armed fault.

    Attributes:
        error: Makes what the caller gets.
        after: The call takes effect first.
        left: How many calls it still strikes; ``None`` for every one.
        hits: How many it has struck.
    """

    verb: Verb
    resource: Resource
    error: Callable[[], PortError]
    name: str | None = None
    subresource: str | None = None
    after: bool = False
    left: int | None = 1
    hits: int = 0

    def strikes(self, call: Call, *, after: bool) -> bool:
        """Whether it is this call's turn."""
        return (
            self.after is after
            and self.left != 0
            and (call.verb, call.resource) == (self.verb, self.resource)
            and self.name in {None, call.name}
            and self.subresource in {None, call.subresource}
        )


class Faults:
    """The faults of one cluster, in the order they were armed."""

    def __init__(self) -> None:
        self._armed: list[Fault] = []

    def arm(self, fault: Fault) -> Fault:
        """Arm a fault; tells by its ``hits`` what it did."""
        self._armed.append(fault)
        return fault

    def clear(self) -> None:
        """Disarm all."""
        self._armed.clear()

    def strike(self, call: Call, *, after: bool = False) -> None:
        """Raise the error of the first fault whose turn it is."""
        for fault in self._armed:
            if fault.strikes(call, after=after):
                fault.hits += 1
                if fault.left is not None:
                    fault.left -= 1
                raise fault.error()
