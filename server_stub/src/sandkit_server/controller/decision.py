"""What a decision is: at most one call, when to look again, and what to tell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from sandkit_server.core.port_errors import NotFound, PortError
from sandkit_server.kubernetes.calls import Call, Object, Verb
from sandkit_server.kubernetes.resources import PODS, SECRETS


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something worth a Kubernetes Event about the object; ``message`` never holds a secret."""

    reason: str
    message: str
    warning: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do next about one object.

    Attributes:
        call: The one effect of this step; ``None`` when nothing is to be done now.
        requeue_after: Seconds after which to look again although nothing may have changed.
        note: Told once the call has succeeded.
    """

    call: Call | None = None
    requeue_after: float | None = None
    note: Note | None = None

    def no_later_than(self, seconds: float | None) -> Decision:
        """The same, looking again after ``seconds`` at the latest."""
        if seconds is None or (self.requeue_after is not None and self.requeue_after <= seconds):
            return self
        return replace(self, requeue_after=max(seconds, 0.0))


REST: Final = Decision()


class PushSecret(StrEnum):
    """What is known about the push secret; never its content."""

    FITTING = "fitting"
    MISSING = "missing"
    WRONG_TYPE = "wrong type"
    FORBIDDEN = "forbidden"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A call of this pass that was refused without effect."""

    call: Call
    error: PortError


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was learnt from answers within one pass and no cache holds; the next pass begins without.

    Attributes:
        push_secret: ``None`` while it was not looked up.
        sought_pod: Name of a pod that was read afresh; if it is there, its cache has it by now.
        refusal: The last refused write, for the decision to show it.
    """

    push_secret: PushSecret | None = None
    sought_pod: str = ""
    refusal: Refusal | None = None

    def refused(self, verb: Verb, name: str) -> PortError | None:
        """The error, if such a call was refused in this pass."""
        refusal = self.refusal
        if refusal is None or (refusal.call.verb, refusal.call.name) != (verb, name):
            return None
        return refusal.error


NO_FACTS: Final = Facts()

DOCKER_CONFIG: Final = "kubernetes.io/dockerconfigjson"


def learn(facts: Facts, call: Call, outcome: Object | PortError) -> Facts:
    """The facts after the outcome of a call; of a secret no more than its type is kept."""
    if call.verb is Verb.GET and call.resource == SECRETS:
        return replace(facts, push_secret=_as_push_secret(outcome))
    if call.verb is Verb.GET and call.resource == PODS and not _is_failure(outcome):
        return replace(facts, sought_pod=call.name)
    if isinstance(outcome, PortError):
        return replace(facts, refusal=Refusal(call=call, error=outcome))
    return facts


def _is_failure(outcome: Object | PortError) -> bool:
    return isinstance(outcome, PortError) and not isinstance(outcome, NotFound)


def _as_push_secret(outcome: Object | PortError) -> PushSecret:
    if isinstance(outcome, NotFound):
        return PushSecret.MISSING
    if isinstance(outcome, PortError):
        return PushSecret.FORBIDDEN
    return PushSecret.FITTING if outcome.get("type") == DOCKER_CONFIG else PushSecret.WRONG_TYPE
