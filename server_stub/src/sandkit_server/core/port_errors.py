"""How an engine's refusals and failures reach the core, whichever engine it is.

```
PortError
├── NoEffect            the call certainly changed nothing
│   ├── NotFound        there is no such object (any more)
│   ├── AlreadyExists   another object has the name
│   ├── VersionConflict the object changed since it was read
│   ├── Forbidden       the server lacks a permission; names the verb
│   ├── Invalid         the engine refuses the content
│   ├── Exhausted       a quota or pool has nothing left
│   └── Unsupported     the engine cannot do this at all
├── Unavailable         no answer, or a transient one: the effect is unknown
└── NeverReady          a workload is certain not to become ready
```

The distinction decides roll-backs (VOL-13): after ``NoEffect`` there is no workload to delete, after
anything else there may be one.
"""

from __future__ import annotations


class PortError(Exception):
    """Base of everything a port raises on purpose; ``message`` never holds a secret."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class NoEffect(PortError):  # noqa: N818 - named for what happened
    """The engine answered, and the call changed nothing."""


class NotFound(NoEffect):
    """There is no object with this name, or its uid differs from the one asked for."""


class AlreadyExists(NoEffect):
    """An object with this name exists."""


class VersionConflict(NoEffect):
    """The object is no longer at the version the change was based on; read it again."""


class Invalid(NoEffect):
    """The engine refuses the content of the request."""


class Forbidden(NoEffect):
    """The server's own credentials lack a permission.

    Attributes:
        verb: What was not allowed, such as ``create``.
        resource: On what, such as ``persistentvolumeclaims``.
    """

    def __init__(self, verb: str, resource: str) -> None:
        super().__init__(f"the server may not {verb} {resource}")
        self.verb = verb
        self.resource = resource


class Exhausted(NoEffect):
    """A quota or a pool has nothing left.

    Attributes:
        what: ``quota`` or ``pool``.
        retry_after: Seconds after which asking again makes sense; ``None`` when waiting does not help.
    """

    def __init__(self, what: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.what = what
        self.retry_after = retry_after


class Unsupported(NoEffect):
    """The engine has no such capability."""


class Unavailable(PortError):  # noqa: N818 - named for what happened
    """The engine did not answer, or said to come back later; whether it acted is unknown."""

    def __init__(self, message: str, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NeverReady(PortError):  # noqa: N818 - named for what happened
    """The workload failed before it was ready.

    Attributes:
        reason: One CamelCase word, shown as the status reason.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
