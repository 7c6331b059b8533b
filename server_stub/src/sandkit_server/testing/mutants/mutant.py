"""What a mutant is: a server with one known defect, described as data."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar, cast

from sandkit_server.core.ports import Ports
from sandkit_server.core.service import LifecycleService
from sandkit_server.main import Alterations

T = TypeVar("T")


class Kind(StrEnum):
    """What is expected of a suite: to find the defect, or to find nothing."""

    MUTANT = "mutant"
    BENIGN = "benign"
    CONTROL = "control"


@dataclass(frozen=True, slots=True)
class Substitution:
    """One function or method of the server that is replaced while a mutant is installed.

    Attributes:
        owner: The module or class that holds it.
        name: Its name there.
        make: Makes the replacement out of the original.
    """

    owner: object
    name: str
    make: Callable[[Any], Any]

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Replace it for the length of the block, in this process only."""
        original = inspect.getattr_static(self.owner, self.name)
        setattr(self.owner, self.name, self.make(getattr(self.owner, self.name)))
        try:
            yield
        finally:
            setattr(self.owner, self.name, original)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One variant of the server.

    Attributes:
        id: Lower-case words with hyphens; begins with the area.
        requirement: The requirement whose check must find the defect; ``None`` for a benign variant.
        defect: What a careless implementer would really do, in one sentence; for a benign variant, what is
            different and nevertheless right.
        alter: Parts of the composition that are wrapped.
        substitutions: Functions that are replaced, where the defect is inside a part.
        also: Further requirements that the very same defect breaks, each with the reason.
        options: Options of ``sandkit-server serve`` that the variant needs.
        lacks: Capabilities that a server with these options does not have.
        choices: What such a server declares where the contract leaves a choice.
    """

    id: str
    requirement: str | None
    defect: str
    alter: Alterations = field(default_factory=Alterations)
    substitutions: tuple[Substitution, ...] = ()
    also: Mapping[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    choices: Mapping[str, Any] = field(default_factory=dict)
    kind: Kind = Kind.MUTANT

    @contextmanager
    def installed(self) -> Iterator[Alterations]:
        """The alterations to serve with; substitutions hold for the length of the block."""
        with ExitStack() as stack:
            for substitution in self.substitutions:
                stack.enter_context(substitution.installed())
            yield self.alter


class _Overlay:
    """Looks like ``target``, except for the methods laid over it."""

    def __init__(self, target: object, methods: Mapping[str, Callable[..., Any]]) -> None:
        self._target = target
        self._methods = methods

    def __getattr__(self, name: str) -> Any:
        method = self._methods.get(name)
        if method is None:
            return getattr(self._target, name)
        return lambda *arguments, **named: method(self._target, *arguments, **named)


def overlay(target: T, **methods: Callable[..., Any]) -> T:
    """``target`` with some methods replaced; each gets the target itself as its first argument."""
    return cast(T, _Overlay(target, methods))


def service(**methods: Callable[..., Any]) -> Alterations:
    """Replace methods of the service; each gets the real service as its first argument."""

    def alter(real: LifecycleService) -> LifecycleService:
        return overlay(real, **methods)

    return Alterations(service=alter)


def ports(alter: Callable[[Ports], Ports]) -> Alterations:
    """Replace what the service works through."""
    return Alterations(ports=alter)


def swap(owner: object, name: str, make: Callable[[Any], Any]) -> tuple[Substitution, ...]:
    """One substitution."""
    return (Substitution(owner, name, make),)


def always(value: object) -> Callable[[Any], Any]:
    """Makes a replacement that answers ``value`` whatever it is asked."""
    return lambda _original: lambda *_arguments, **_named: value
